"""What holds on every page of the console, and of every session: all addresses are asked, none is picked."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from settlement.staff.sessions import digest_of
from settlement.staff.tables import sessions
from tests.settlement.at_desk import Opened, member, opened
from tests.settlement.test_console_gate import example

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage

COOKIE = "__Host-ksh-session"
SIGN_OUT = '<form class="who" method="post" action="/staff/sign-out">'


@pytest.fixture
def at(stage: Stage, tmp_path: Path) -> Opened:
    return opened(stage, tmp_path)


@pytest.mark.parametrize("roles", ["maker,checker", "auditor", "administrator"])
def test_every_page_lets_who_is_signed_in_sign_out(at: Opened, roles: str) -> None:
    client, shown = member(at, roles), 0
    for page in at.console.pages:
        if page.method != "GET" or page.path == "/staff/sign-in":
            continue
        answer = client.get(example(page.path))
        if answer.status_code != 303 and answer.headers["content-type"].startswith("text/html"):
            assert answer.text.count(SIGN_OUT) == 1, (page.path, answer.status_code)
            assert ">Sign out</button>" in answer.text
            shown += 1
    assert shown > 20


def test_a_sessions_token_has_256_bits_and_is_kept_as_its_digest_alone(at: Opened, stage: Stage) -> None:
    tokens = [member(at, roles).cookies[COOKIE] for roles in ("maker", "checker", "auditor")]
    assert [len(base64.urlsafe_b64decode(token + "=")) for token in tokens] == [32] * 3
    assert len(set(tokens)) == 3
    with at.desk.database.transaction() as connection:
        kept = set(connection.execute(sa.select(sessions.c.digest)).scalars())
    assert {digest_of(token) for token in tokens} <= kept
    folder = stage.ledger.database.path.parent
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert [token for token in tokens if token.encode() in stored] == []
    assert digest_of(tokens[0]) in stored
