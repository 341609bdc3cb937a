"""`hebat terminals` in processes of their own, against a served city: invite, enrol, send, revoke, and be refused."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import httpx2
import pytest

from card.batch import CONTENT_TYPE, FIRST_DIGEST, encode_batch
from keys import envelope
from keys.clock import SystemClock
from keys.identity import TerminalIdentity
from tests.system.conftest import hebat, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Demo


NUMBER = 1777


def send(device: Path, address: str) -> httpx2.Response:
    """A batch with one record that is none: it is taken, and kept in quarantine."""
    payload = encode_batch(NUMBER, 1, FIRST_DIGEST, SystemClock().now(), [b"\xff"])
    sign = TerminalIdentity(device).sign
    body = envelope.seal(payload, kid=NUMBER.to_bytes(4, "big"), sign=sign, content_type=CONTENT_TYPE)
    headers = {"Content-Type": "application/cose"}
    return httpx2.post(f"{address}/v1/batches", content=body, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def served(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A copy of the demo's city, served once for all of these: each takes a terminal of its own."""
    folder = tmp_path_factory.mktemp("served") / "city"
    shutil.copytree(demo.folder, folder)
    with serving(folder) as address:
        yield folder, address


def invited(folder: Path, number: int = NUMBER) -> str:
    wanted = ("--class", "bus", "--operator", "11", "--limit", "5000000", "--route", "3", "--json")
    ran = hebat("terminals", "invite", str(number), "--data", folder, *wanted)
    assert ran.code == 0, ran.err
    return str(json.loads(ran.out)["code"])


def state_of(folder: Path) -> dict[str, object]:
    found = json.loads(hebat("terminals", "list", "--data", folder, "--json").out)
    (mine,) = [one for one in found if one["terminal"] == NUMBER]
    return dict(mine)


def test_a_terminal_is_invited_enrolled_and_revoked_while_the_server_runs(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = served
    device, code = tmp_path / "bus", invited(folder)
    enrol = ("terminals", "enrol", "--folder", device, "--ledger", address, "--code", code)
    ran = hebat(*enrol)
    assert (ran.code, f"terminal {NUMBER} is enrolled as a validator" in ran.out) == (0, True), ran.err
    assert f"next, its keys: hebat terminals keys --folder {device}" in ran.out
    early = hebat("terminal", "run", "--folder", device, "--ledger", address, "--port", "0")
    assert (early.code, "has no keys yet: fetch them with `hebat terminals keys" in early.err) == (2, True)
    assert state_of(folder) | {"until": ""} == {
        "terminal": NUMBER, "state": "valid", "role": "validator", "owner": 11, "kinds": ["fare"],
        "daily_limit": 5_000_000, "routes": [3], "until": "",
    }  # fmt: skip
    assert send(device, address).json()["results"][0]["reason"] == "malformed"
    early = hebat("terminals", "renew", "--folder", device, "--ledger", address)
    assert (early.code, "need not renew before" in early.err) == (2, True)
    assert hebat("terminals", "revoke", str(NUMBER), "--data", folder).code == 0
    assert state_of(folder)["state"] == "revoked"
    refused = send(device, address)
    assert (refused.status_code, "was revoked" in refused.json()["detail"]) == (403, True)


def test_what_cannot_be_is_one_sentence(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served
    device = tmp_path / "bus"
    wrong = invited(folder, NUMBER + 1)[:5] + "0" * 4 + "-" + "-".join(["0000"] * 7)
    for arguments, told in (
        (("enrol", "--folder", device, "--ledger", address, "--code", "hello"), "no enrolment code"),
        (("enrol", "--folder", device, "--ledger", address, "--code", wrong), "opens no enrolment"),
        (("enrol", "--folder", device, "--ledger", "ledger", "--code", wrong), "no server's address"),
        (("renew", "--folder", device, "--ledger", address), "holds no terminal"),
        (("revoke", "99999", "--data", folder), "not enrolled"),
        (("list", "--data", tmp_path / "nothing"), "holds no city"),
    ):
        ran = hebat("terminals", *arguments)
        assert (ran.code, told in ran.err, "Traceback" in ran.err) == (2, True, False), ran.err
