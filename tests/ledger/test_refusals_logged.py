"""Who tries doors shows in the log: each call that a control refused is a line with the control's name, the caller's where it has one, and nothing of what was sent."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from hebat.logs import configure
from hebat.settings import LogLevel
from keys.clock import UnixMs
from ledger.book import Ledger
from ledger.clients.scopes import Scope
from ledger.http.access import HELD_SECONDS
from tests.ledger.entries import SetClock
from tests.ledger.served import Served, card, order

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = UnixMs(1_748_840_400_000)


@pytest.fixture
def served(url: str) -> Iterator[Served]:
    configure(LogLevel.INFO)
    with Ledger.open(url, SetClock(NOON)) as ledger, Served(ledger) as opened:
        yield opened
    configure(LogLevel.ERROR)


def test_each_attempt_to_get_past_a_control_is_a_line_that_names_it(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, reader = served.client("shop", *Scope), served.client("reader", Scope.METRICS)
    here = served.server.address
    capsys.readouterr()
    httpx2.post(
        f"{here}/v1/debits",
        json=order(1, 1),
        headers={"Authorization": "Bearer ksh.shop.guessed-secret"},
        timeout=60,
    )
    reader.post("/v1/debits", order(1, 1), "k1")
    shop.post("/v1/debits", order(1, -5), "k2")
    shop.post("/v1/debits", order(1, 700), "k3")
    shop.post("/v1/debits", order(1, 701), "k3")
    shop.post("/v1/credits", order(1, 1) | {"payment": 99_999}, "k4")
    shop.http.get("/v1/accounts/../../etc/passwd")
    lines = _lines(capsys, 7)
    told = [_told(line) for line in lines if line["event"] == "call"]
    assert told == [
        (401, "token-refused", ""), (403, "scope-missing", "reader"), (422, "bad-request", "shop"), (422, "insufficient-funds", "shop"),
        (422, "idempotency-key-reused", "shop"), (404, "payment-unknown", "shop"), (404, "not-found", ""),
    ]  # fmt: skip
    for secret in ("guessed-secret", "passwd", card(1), "k3"):
        assert secret not in json.dumps(lines)


def _lines(capsys: pytest.CaptureFixture[str], calls: int) -> list[dict[str, Any]]:
    """What was logged, once so many calls are: each is held back for a moment."""
    lines: list[dict[str, Any]] = []
    until = time.monotonic() + 60
    while sum(line["event"] == "call" for line in lines) < calls and time.monotonic() < until:
        time.sleep(HELD_SECONDS)
        lines += [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return lines


def _told(line: dict[str, Any]) -> tuple[int, str, str]:
    return line["status"], line["problem"], line["client"]
