"""The `hebat ledger` and `hebat proof` commands as an operator meets them: what they say, and how they end."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
import structlog

from card.layout import TapKind
from hebat.cli import main
from hebat.folder import Folder
from keys.clock import date_of
from ledger.book import Ledger
from ledger.lease import take
from ledger.store import Database
from ledger.transfer import Kind
from tests.ledger.desk import open_scene
from tests.ledger.entries import SetClock, transfer
from tests.ledger.test_proofs_checkpoints import add_tables, close
from tests.ledger.unguarded import unguard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def hebat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ran]]:
    """The command's own entry point, in this process."""

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["hebat", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    monkeypatch.setenv("HEBAT_LOG_LEVEL", "error")
    monkeypatch.setattr("hebat.cli.forbid_dumps", lambda: None)
    yield run
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A city with a card that was loaded and rode, on a business date that is closed."""
    folder = Folder(tmp_path_factory.mktemp("commands") / "city")
    scene = open_scene(folder, fresh=True)
    with scene.city:
        card, bus = scene.card(loaded=50_000), scene.desk()
        bus.tap(card, TapKind.FARE, 3_500)
        bus.send()
        scene.city.ledger.close_window(scene.city.ledger.open_window())
    return folder


@pytest.fixture
def city(founded: Folder, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    shutil.copytree(founded.root, tmp_path / "city")
    return tmp_path / "city"


def number_of(city: Path) -> int:
    database = Database(Folder(city).database_url)
    with database.transaction() as connection:
        found: int = connection.execute(sa.text("SELECT card_number FROM cards")).scalar_one()
    database.close()
    return found


def alter(url: str, statement: str) -> None:
    database = Database(url)
    with database.transaction() as connection:
        unguard(connection)
        connection.execute(sa.text(statement))
    database.close()


def test_an_operators_day_on_each_database(
    url: str, clock: SetClock, hebat: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty database to an export that another ledger takes in, with a fault found and mended in between."""
    empty = f"sqlite:///{tmp_path / 'new.db'}"
    if url.startswith("postgresql"):
        database = Database(url)
        with database.writing() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        database.close()
    else:
        url = f"sqlite:///{tmp_path / 'ledger2.db'}"
    where = ("--database", url)
    assert hebat("ledger", "init", *where).code == 0
    again = hebat("ledger", "init", *where)
    assert (again.code, "holds a ledger already" in again.err) == (2, True)
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer(amount=amount) for amount in range(1, 40)])
        ledger.close_window(ledger.open_window())
    assert hebat("ledger", "snapshot", *where, "--json").told["position"] == 39
    monkeypatch.setenv("HEBAT_DATABASE_URL", url)
    assert hebat("ledger", "verify", "--json").told["transfers"] == 39
    monkeypatch.delenv("HEBAT_DATABASE_URL")
    alter(url, "UPDATE snapshot_chunks SET body = (SELECT digest FROM blocks LIMIT 1)")
    mended = hebat("ledger", "rebuild", *where, "--json")
    assert (mended.code, mended.told["position"], len(mended.told["wrong"])) == (3, 39, 1)
    whole = hebat("ledger", "rebuild", *where)
    assert (whole.code, "1 stored snapshot was right" in whole.out) == (0, True)
    first = hebat("ledger", "export", "--to", tmp_path / "out", *where, "--json")
    assert (first.code, first.told["position"]) == (0, 39)
    assert hebat("ledger", "init", "--database", empty).code == 0
    taken = hebat("ledger", "import", tmp_path / "out", "--database", empty)
    assert (taken.code, "39 transfers in 2 blocks taken in" in taken.out) == (0, True), taken.err
    assert "signatures of batches and Transaction MACs not checked" in taken.out
    second = hebat("ledger", "import", tmp_path / "out", "--database", empty)
    assert (second.code, "not empty" in second.err) == (2, True)
    alter(url, "UPDATE transfers SET amount = amount + 1 WHERE position = 7")
    damaged = hebat("ledger", "verify", *where)
    assert (damaged.code, "positions 1 to 39" in damaged.err) == (3, True)


def test_a_city_is_verified_exported_and_taken_in_with_its_signatures(
    hebat: Callable[..., Ran], city: Path, tmp_path: Path
) -> None:
    verified = hebat("ledger", "verify", "--data", city)
    assert verified.code == 0, verified.err
    assert "1 checkpoint over 2 leaves computed again, signatures verified" in verified.out
    assert "2 Transaction MACs recomputed" in verified.out
    assert hebat("ledger", "export", "--data", city, "--to", tmp_path / "out").code == 0
    other = tmp_path / "other"
    other.mkdir()
    for name in ("city.vault", "city.passphrase", "authority.pem", "configuration"):
        shutil.copy(city / name, other / name)
    assert hebat("ledger", "init", "--data", other).code == 0
    taken = hebat("ledger", "import", tmp_path / "out", "--data", other, "--json")
    assert taken.code == 0, taken.err
    assert taken.told["checkpoint_signatures"] == 1
    assert taken.told["batches_verified"] is True
    assert hebat("ledger", "verify", "--data", other, "--json").told["macs"] == 2
    part = next((tmp_path / "out" / "tables").glob("taps-*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    spoilt = hebat("ledger", "import", tmp_path / "out", "--data", other)
    assert (spoilt.code, part.name in spoilt.err) == (3, True)


def test_a_tap_is_proven_from_the_command_line(hebat: Callable[..., Ran], city: Path, tmp_path: Path) -> None:
    key, file = city / "checkpoints" / "ledger-key.pem", tmp_path / "tap.json"
    made = hebat("proof", "make", "--data", city, "--card", number_of(city), "--tmc", 2, "--out", file)
    assert made.code == 0, made.err
    told = hebat("proof", "verify", file, "--key", key, "--json").told
    assert (told["proven"], told["amount"], told["card"]["tmc"]) == (True, -350_000, 2)
    bare = hebat("proof", "make", "--data", city, "--card", number_of(city), "--tmc", 2, "--anonymous")
    assert 'opening": null' in bare.out
    by_position = hebat(
        "proof", "make", "--database", Folder(city).database_url, "--position", told["position"]
    )
    assert by_position.out.encode() == file.read_bytes()
    file.write_bytes(file.read_bytes().replace(b"350000", b"350001"))
    assert hebat("proof", "verify", file, "--key", key).code == 1
    for wrong in (
        ("--card", 1, "--tmc", 2),
        ("--card", number_of(city)),
        ("--card", number_of(city), "--tmc", 9),
    ):
        refused = hebat("proof", "make", "--data", city, *wrong)
        assert (refused.code, refused.out) == (2, "")
        assert refused.err.startswith("hebat: ")


def test_checkpoints_are_listed_made_and_tied_together(
    hebat: Callable[..., Ran], city: Path, tmp_path: Path
) -> None:
    (day,) = [row["business_date"] for row in hebat("proof", "list", "--data", city, "--json").told]
    assert (
        "Every closed business date has its checkpoint" in hebat("ledger", "checkpoint", "--data", city).out
    )
    shutil.rmtree(city / "checkpoints")
    assert hebat("ledger", "checkpoint", "--data", city, "--json").told == []
    assert (city / "checkpoints" / f"{day}.checkpoint").exists()
    file = tmp_path / "two.json"
    assert hebat("proof", "consistency", "--data", city, "--from", day, "--to", day, "--out", file).code == 0
    told = hebat("proof", "verify", file, "--key", city / "checkpoints" / "ledger-key.pem")
    assert (told.code, "stood unchanged on" in told.out) == (0, True)
    none = hebat("proof", "consistency", "--data", city, "--from", "2020-01-01", "--to", day)
    assert (none.code, "no checkpoint of 2020-01-01" in none.err) == (2, True)
    no_keys = hebat("ledger", "checkpoint", "--database", Folder(city).database_url)
    assert (no_keys.code, "--data" in no_keys.err) == (2, True)


def test_one_business_date_is_exported_as_csv(hebat: Callable[..., Ran], city: Path, tmp_path: Path) -> None:
    (day,) = [row["business_date"] for row in hebat("proof", "list", "--data", city, "--json").told]
    out = tmp_path / "day"
    ran = hebat("ledger", "export", "--data", city, "--to", out, "--format", "csv", "--date", day)
    assert ran.code == 0, ran.err
    lines = (out / "journal" / day / "transfers-00001.csv").read_text().splitlines()
    assert lines[0].startswith("partition,position,debit,credit,amount")
    assert len(lines) == 3


def test_a_ledger_that_is_in_use_says_so_with_its_own_code(hebat: Callable[..., Ran], city: Path) -> None:
    database = Database(Folder(city).database_url)
    lease = take(database)
    try:
        for command in ("rebuild", "snapshot", "serve"):
            ran = hebat("ledger", command, "--data", city)
            assert (ran.code, ran.err.count("\n")) == (4, 1), ran.err
        assert hebat("ledger", "verify", "--data", city).code == 0
    finally:
        lease.release()
        database.close()


@pytest.mark.parametrize("command", ["init", "verify", "rebuild", "snapshot", "checkpoint"])
def test_a_command_that_is_not_told_which_ledger_asks(hebat: Callable[..., Ran], command: str) -> None:
    ran = hebat("ledger", command)
    assert (ran.code, "--data" in ran.err, "--database" in ran.err) == (2, True, True)
    odd = hebat("ledger", command, "--database", "mysql://nowhere")
    assert (odd.code, "begins with sqlite:///" in odd.err) == (2, True)
    none = hebat("ledger", "verify", "--database", "sqlite:////nowhere/at/all.db")
    assert (none.code, "hebat ledger init" in none.err) == (2, True)


def test_business_dates_go_to_the_archive_and_the_command_says_where_they_are(
    hebat: Callable[..., Ran], sqlite_url: str, clock: SetClock, tmp_path: Path
) -> None:
    add_tables(sqlite_url)
    with Ledger.open(sqlite_url, clock) as ledger:
        day = ledger.open_window()
        ledger.post([replace(transfer(), kind=Kind.OPENING)], document=b"signed")
        close(ledger, clock)
        ledger.post([transfer()])
        owing = ledger.open_window()
        close(ledger, clock)
        ledger.post([transfer()])
    place = ("--database", sqlite_url)
    assert "Nothing is in the archive" in hebat("ledger", "archive", *place).out
    to = ("--to", tmp_path / "archive")
    owed = hebat("ledger", "archive", *place, *to, "--until", date_of(owing).isoformat())
    assert (owed.code, f"{date_of(owing)} is not settled: run its night" in owed.err) == (2, True)
    nowhere = hebat("ledger", "archive", *place, "--until", date_of(day).isoformat())
    assert (nowhere.code, "Name a folder with --to" in nowhere.err) == (2, True)
    done = hebat("ledger", "archive", *place, *to, "--until", date_of(day).isoformat())
    assert (done.code, f"{date_of(day)}: 1 transfers, 2 documents" in " ".join(done.out.split())) == (
        0,
        True,
    ), done
    (tmp_path / "archive").rename(tmp_path / "moved")
    lost = hebat("ledger", "verify", *place)
    assert (lost.code, "--moved-to" in lost.err) == (2, True)
    told = hebat("ledger", "archive", *place, "--moved-to", tmp_path / "moved", "--json").told
    assert [one["folder"] for one in told] == [str(tmp_path / "moved" / f"journal-{date_of(day)}")]
    assert hebat("ledger", "verify", *place).code == 0
