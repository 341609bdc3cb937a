"""`hebat bank` with real processes: a simulated bank on a socket, either side killed in the middle of a payment."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from hebat.cli import main
from hebat.folder import Folder
from hebat.schema import TABLES
from settlement.partner_bank.books import Books
from settlement.partner_bank.faults import Fault
from settlement.statements.reading import Reader
from tests.empty import new_ledger
from tests.ports import held_ports
from tests.system.ready import BEFORE, Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def run(*arguments: str | Path, code: int = 0, room: str = "bank") -> str:
    """A command as the shell runs it, in this process."""
    out, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(error):
        patched.setattr(sys, "argv", ["hebat", room, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == code, error.getvalue()
    return out.getvalue() if code == 0 else error.getvalue()


class Bank:
    """A simulated bank's folder, and its process while it runs."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    @contextmanager
    def running(self, *options: str, before: str = "") -> Iterator[Bank]:
        key = self.folder / "ksh.pem"
        words = ("bank", "simulate", str(self.folder), "--key", str(key), "--port", str(self.port), *options)
        with Started(*words, stdout=subprocess.PIPE, env=os.environ | {BEFORE: before}) as process:
            assert process.stdout is not None
            assert f":{self.port}  (" in process.stdout.readline()
            try:
                yield self
            finally:
                process.kill()

    def make(self, city: Path, *options: str | Path) -> None:
        """Make the bank's folder and a line to it from a city."""
        assert "made" in run("simulate", self.folder)
        run(
            "add", "sim", "--data", city, "--address", f"http://127.0.0.1:{self.port}", "--secret", self.folder / "client.secret",
            "--key", self.folder / "ksh.pem", *options,
        )  # fmt: skip

    def balance(self, account: str) -> int:
        books = Books(self.folder / "bank.db")
        with books.session() as session:
            found = session.account(account)
        books.close()
        assert found is not None
        return found.balance

    def moved(self, reference: str) -> int:
        books = Books(self.folder / "bank.db")
        with books.session() as session:
            done = session.done(reference)
        books.close()
        return done


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Folder(tmp_path_factory.mktemp("city"))
    folder.passphrase(new=True)
    new_ledger(folder.database_url, *TABLES).close()
    return folder.root


@pytest.fixture(scope="module")
def bank(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    with held_ports() as port:
        made = Bank(tmp_path_factory.mktemp("bank"), port)
        made.make(city)
        yield made


def pay(city: Path, reference: str, rupiah: int = 10_000) -> list[str]:
    return [
        "pay",
        "sim",
        "--data",
        str(city),
        "--reference",
        reference,
        "--rupiah",
        str(rupiah),
        "--to",
        "2000000002",
        "--json",
    ]


HELD_BACK = """
from settlement.partner_bank.asgi import BankApplication
answer = BankApplication.__call__
async def held_back(self, scope, receive, send):
    self._pause = 600 * ("transfer" in scope["path"])
    await answer(self, scope, receive, send)
BankApplication.__call__ = held_back
"""
"""A bank that moves the money, and whose answer never comes."""


def test_a_client_that_is_killed_in_a_payment_finds_out_what_became_of_it(city: Path, bank: Bank) -> None:
    with bank.running(before=HELD_BACK):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        client = Started("bank", *pay(city, "KILLED"), "--seconds", "60", **quiet)
        give_up = time.monotonic() + 50
        while not bank.moved("KILLED") and time.monotonic() < give_up:
            time.sleep(0.05)
        client.send_signal(signal.SIGKILL)
        client.wait()
    assert bank.moved("KILLED") == 1
    listed = json.loads(run("payments", "--data", city, "--json"))
    assert [(one["reference"], one["state"]) for one in listed] == [("KILLED", "sent")]
    with bank.running():
        assert "KILLED: Rp10.000 at sim is done (2003600)" in run("resume", "--data", city)
        again = json.loads(run(*pay(city, "KILLED")))
    assert (again["state"], again["calls"], bank.moved("KILLED")) == ("done", 1, 1)


def test_a_bank_that_drops_the_line_is_asked_afterwards(city: Path, bank: Bank) -> None:
    with bank.running("--faults", "lost-after=1"):
        assert json.loads(run(*pay(city, "DROPPED")))["state"] == "unknown"
    assert "DROPPED: Rp10.000 at sim is unknown" in run("resume", "--data", city)  # nobody answers
    with bank.running():
        assert "is done" in run("resume", "--data", city)
        told = json.loads(run("balance", "sim", "--data", city, "--json"))
    assert bank.moved("DROPPED") == 1
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 7 * 3600))
    for form in ("mt940", "camt053"):
        out = bank.folder / f"day.{form}"
        run("statement", bank.folder, "--out", out, "--date", day, "--format", form)
        (parsed,) = Reader().read(out.read_bytes()).statements
        assert parsed.closing == told["sen"]
        assert parsed.closing - parsed.opening == parsed.movement == -1_000_000 * len(parsed.lines)


# What a bank does wrong, whether its books have moved the money then, and what is known once it does nothing wrong any more.
WRONG = {
    "500-before": (0, "unknown"), "500-after": (1, "done"), "lost-before": (0, "unknown"), "lost-after": (1, "done"), "twice": (1, "done"),
    "under-way": (0, "done"), "garbled": (1, "done"),
}  # fmt: skip


def test_each_thing_that_a_bank_does_wrong_leaves_a_payment_unknown_and_asking_ends_it(
    city: Path, bank: Bank
) -> None:
    """Over real sockets. What never reached the bank is sent again only once the lost call is too old for it to be accepted."""
    assert {*WRONG, "none"} == set(Fault)
    for fault, (moved, _) in WRONG.items():
        with bank.running("--faults", f"{fault}=1", "--late-seconds", "3600"):
            assert json.loads(run(*pay(city, fault.upper(), 1_000)))["state"] == "unknown", fault
        assert bank.moved(fault.upper()) == moved, fault
    with bank.running("--late-seconds", "0"):
        run("resume", "--data", city)
    listed = {one["reference"]: one["state"] for one in json.loads(run("payments", "--data", city, "--json"))}
    for fault, (_, state) in WRONG.items():
        assert (listed[fault.upper()], bank.moved(fault.upper())) == (state, int(state == "done")), fault


def test_a_bank_that_answers_too_late_is_asked_again_and_paid_once(city: Path, bank: Bank) -> None:
    with bank.running("--pause-ms", "2500"):
        said = json.loads(run(*pay(city, "SLOW"), "--seconds", "1"))
        assert said["state"] in {"planned", "sent", "unknown"}  # the token's answer may be late already
    with bank.running():
        assert json.loads(run(*pay(city, "SLOW")))["state"] == "done"
    assert bank.moved("SLOW") == 1


def test_a_bank_that_is_closed_moves_nothing_until_it_opens(city: Path, bank: Bank) -> None:
    hour = time.gmtime(time.time() + 7 * 3600).tm_hour
    later = (hour + 2) % 24
    with bank.running("--hours", f"{later}-{later + 1}"):
        assert json.loads(run(*pay(city, "CLOSED")))["state"] == "planned"
    assert bank.moved("CLOSED") == 0
    with bank.running("--hours", f"{hour}-{(hour + 2) % 24 or 24}" if hour < 22 else "0-0"):
        assert "CLOSED: Rp10.000 at sim is done" in run("resume", "--data", city)
    assert bank.moved("CLOSED") == 1


def test_a_users_mistake_is_one_line(city: Path, tmp_path: Path) -> None:
    for arguments in (
        ["balance", "bca", "--data", str(city)],
        ["statement", str(tmp_path), "--out", "x", "--date", "2026-11-18"],
        ["simulate", str(tmp_path / "b"), "--key", "nowhere.pem"],
        [
            "add",
            "x",
            "--data",
            str(city),
            "--address",
            "http://bank.example",
            "--secret",
            __file__,
            "--key",
            str(tmp_path / "k"),
        ],
    ):
        said = run(*arguments, code=2)
        assert said.startswith("hebat: ")
        assert said.count("\n") == 1
    assert any((tmp_path / "b").iterdir())
