"""A server's door for nights: who asks gets steps and the night's document; parties are those of now; refusals keep their code."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.configurations import OWN, configuration_of
from hebat.errors import NightRefused
from hebat.folder import Folder
from hebat.founding import found_over
from hebat.night_commands.door import SOCKET, NightDoor, asked, asked_for_snapshot
from hebat.night_commands.work import Wanted
from hebat.settlement_commands.app import settlement_app
from hebat.settlement_commands.parties_file import read
from hebat.wiring import City
from keys.clock import CITY, Day, SystemClock, UnixMs, local, moment
from keys.filevault import FileVault
from keys.money import Sen
from ledger.chart import Code, Partition, account_id
from ledger.transfer import Kind, Transfer
from settlement.view import view
from tests.hebat.test_participants import EXAMPLE, SHOP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.chart import AccountId

NOON = moment(datetime.combine(local(SystemClock().now()).date() - timedelta(days=2), time(12), CITY))


class MovedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> UnixMs:
        """The moment that it is."""
        return self.at


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, clock: MovedClock) -> Iterator[City]:
    """An open city with parties of its own, and its door; its folder has a name longer than a socket's may be."""
    folder = Folder(tmp_path_factory.mktemp("own") / ("long" * 30) / "city")
    folder.root.parent.mkdir()
    folder.make()
    vault = FileVault.create(folder.vault, folder.passphrase(new=True))
    found_over(folder, vault, SystemClock(), OWN, read(EXAMPLE))
    (folder.root / SOCKET).touch()  # what a server that was killed left
    with City(folder, configuration_of(folder), clock) as opened, NightDoor(opened):
        yield opened
    assert not (folder.root / SOCKET).exists()


def sell(city: City, merchant: int) -> None:
    card = account_id(Code.PURSE, Partition(0), 936000090000001)
    city.ledger.post([_sale(card, account_id(Code.MERCHANT_PAYABLE, Partition(0), merchant), city)])


def _sale(debit: AccountId, credit: AccountId, city: City) -> Transfer:
    return Transfer(debit, credit, Sen(100_000), Kind.SALE, UnixMs(0), city.ledger.open_window())


def test_a_night_beside_a_server_pays_a_shop_that_came_while_the_server_ran(
    city: City, clock: MovedClock, tmp_path: Path
) -> None:
    (tmp_path / "parties.toml").write_text(SHOP, encoding="utf-8")
    words = [
        "participants",
        "set",
        tmp_path / "parties.toml",
        "--by",
        "desk",
        "--reason",
        "new",
        "--data",
        city.folder.root,
    ]
    done = CliRunner().invoke(settlement_app, [*map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    sell(city, 502)
    day = city.ledger.open_window()
    clock.at = UnixMs(NOON + 12 * 3_600_000)
    steps: list[str] = []
    night = asked(city.folder.root, Wanted(), steps.append)
    assert night is not None
    assert (night.code, [one["party"] for one in night.nights[0]["positions"]]) == (0, ["Toko Pandanaran"])
    assert steps[-1] == "three-way report"
    assert json.loads(city.folder.night(night.nights[0]["business_date"]).read_bytes()) == night.nights[0]
    assert view(city.ledger.database, day) is not None
    assert asked(city.folder.root, Wanted(day), steps.append) == night


def test_what_a_server_says_against_a_night_comes_with_its_code(city: City) -> None:
    with pytest.raises(NightRefused, match=r"lies ahead|is not settled") as refused:
        asked(city.folder.root, Wanted(Day(60_000), only_settle=True), lambda _: None)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("words", [b"", b"{", b"[1]\n", b'{"day": "soon", "only_settle": 0}\n', b"x" * 5_000])
def test_who_asks_in_no_known_way_is_let_go_and_the_next_is_heard(city: City, words: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as line, _short(city.folder.root) as name:
        line.settimeout(20)
        line.connect(name)
        line.sendall(words)
        line.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):  # it did not read all of it
            assert line.recv(100) == b""
    with pytest.raises(NightRefused):
        asked(city.folder.root, Wanted(Day(60_000), only_settle=True), lambda _: None)


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """The socket's name by way of its open folder: the whole of it is longer than a socket's may be."""
    number = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}/{SOCKET}"
    finally:
        os.close(number)


def test_where_no_server_listens_nobody_answers(tmp_path: Path) -> None:
    assert asked(tmp_path, Wanted(), lambda _: None) is None


@pytest.mark.parametrize(
    "said", [b"[" * 999, b"\xff", b"7", b'{"day":"x","only_settle":1}', b'{"day":' + b"9" * 900]
)
def test_whatever_is_said_at_the_door_it_stays_open(city: City, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as line, _short(city.folder.root) as name:
        line.connect(name)
        line.sendall(said + b"\n")
        assert line.recv(1) == b""
    assert asked_for_snapshot(city.folder.root) is not None


def test_a_snapshot_that_fails_is_told_to_who_asked_and_the_next_is_kept(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(city.ledger, "snapshot", full)
        with pytest.raises(NightRefused, match="No space left"):
            asked_for_snapshot(city.folder.root)
    assert asked_for_snapshot(city.folder.root) is not None
