"""Exports: the same bytes after a round trip, on both databases and between them; a changed file is named, and nothing is taken in."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from hebat.schema import TABLES
from keys.clock import date_of
from ledger.book import Ledger
from ledger.errors import DatabaseDamaged, ExportDamaged, ExportRefused
from ledger.exports import store
from ledger.exports.manifest import NAME, read
from ledger.exports.sending import Wanted, export
from ledger.exports.taking import take
from ledger.proofs.proving import prove_position
from ledger.store import Database
from ledger.transfer import ROW, Flag
from tests import empty
from tests.ledger.conftest import NINE
from tests.ledger.entries import CASH, OPERATOR, PURSE, SUBSIDY, SetClock, transfer
from tests.ledger.test_proofs_checkpoints import SIGNER, add_tables, book, close

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fill(url: str, clock: SetClock) -> str:
    """Two closed business dates and an open one: groups, a hold posted later, documents, checkpoints, other tables' rows."""
    add_tables(url)
    with Ledger.open(url, clock) as ledger:
        for _ in range(2):
            fare = transfer(
                PURSE, OPERATOR, 100, flags=Flag.LINKED, uid=0x0401, tmc=1, terminal=9, sequence=1
            )
            ledger.post([fare, transfer(SUBSIDY, OPERATOR, 250)], document=b"a signed batch")
            ledger.post([transfer(CASH, PURSE, 70, flags=Flag.PENDING)])
            close(ledger, clock)
        ledger.post([transfer(CASH, PURSE, 70, flags=Flag.POST_PENDING, hold=3), transfer()])
        ledger.post([], document=b"nothing to post, kept all the same")
        book(ledger.database).make_all()
        with ledger.database.writing() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO cards (partition, uid, card_number, registered, key_version, token_digest, key_versions,"
                    " coming_versions) VALUES (3, 1025, 9360000900010015, 0, 1, :token, '', 'ü')"
                ),
                {"token": bytes(32)},
            )
    return url


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def out(url: str, folder: Path, wanted: Wanted | None = None) -> dict[str, bytes]:
    database = Database(url)
    export(database, TABLES, folder, wanted or Wanted())
    database.close()
    return contents(folder)


def taken(url: str, folder: Path, **kinds: Any) -> None:
    database = Database(url)
    try:
        take(database, TABLES, folder, **kinds)
    finally:
        database.close()


def new_ledger(path: Path) -> str:
    url = f"sqlite:///{path}"
    empty.new_ledger(url, *TABLES).close()
    return url


def test_an_export_that_is_taken_in_is_exported_again_as_the_same_bytes(
    url: str, clock: SetClock, tmp_path: Path
) -> None:
    """From each database into a file, and what was a file's goes back into PostgreSQL in the test after this."""
    first = out(fill(url, clock), tmp_path / "first")
    target = new_ledger(tmp_path / "target.db")
    taken(target, tmp_path / "first", public_key=SIGNER.public_key)
    assert out(target, tmp_path / "second") == first
    with Ledger.open(target, clock) as ledger:
        assert ledger.post([transfer()])[0].position == 9
        assert ledger.balance(PURSE).debits_posted == 350_200 + 350_000
        assert prove_position(ledger.database, 1).check(SIGNER.public_key).size == 2
        assert book(ledger.database).make_all() == []


def test_a_files_export_goes_into_postgresql_and_comes_back_the_same(
    sqlite_url: str, postgres_url: str, clock: SetClock, tmp_path: Path
) -> None:
    first = out(fill(sqlite_url, clock), tmp_path / "first")
    add_tables(postgres_url)
    taken(postgres_url, tmp_path / "first", public_key=SIGNER.public_key)
    assert out(postgres_url, tmp_path / "second") == first


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a ledger that was filled; each test spoils a copy."""
    folder = tmp_path_factory.mktemp("filled")
    url = f"sqlite:///{folder / 'ledger.db'}"
    empty.new_ledger(url).close()
    out(fill(url, SetClock(NINE)), folder / "export")
    return folder / "export"


@pytest.fixture
def exported(filled: Path, tmp_path: Path) -> Path:
    return shutil.copytree(filled, tmp_path / "export")


def test_a_changed_file_is_named_and_nothing_is_taken_in(exported: Path, tmp_path: Path) -> None:
    target = new_ledger(tmp_path / "target.db")
    before = out(target, tmp_path / "empty")
    for part in read(exported).parts:
        path = exported / part.path
        whole = path.read_bytes()
        for spoilt in (whole[:-1] + bytes([whole[-1] ^ 1]), whole + b"\0", whole[: len(whole) // 2]):
            path.write_bytes(spoilt)
            with pytest.raises(ExportDamaged, match=part.path):
                taken(target, exported)
        path.unlink()
        with pytest.raises(ExportDamaged, match=part.path):
            taken(target, exported)
        path.write_bytes(whole)
    assert out(target, tmp_path / "still") == before
    taken(target, exported)


def forged(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame], table: str) -> None:
    """Change a file and write a manifest that fits it: what somebody would do who knows the format."""
    told = json.loads((folder / NAME).read_bytes())
    for part in told["parts"]:
        if part["table"] == table:
            path = folder / part["path"]
            frame = change(pl.read_parquet(path))
            frame.write_parquet(path)
            data, part["rows"] = path.read_bytes(), frame.height
            part["bytes"], part["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    (folder / NAME).write_bytes((json.dumps(told, indent=1) + "\n").encode())


def more(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.col(column) + 1)


FORGERIES = {
    "an amount": (more("amount"), "transfers"),
    "a time": (more("occurred_at"), "transfers"),
    "a block's number": (more("block"), "blocks"),
    "a block's time": (more("received_at"), "blocks"),
    "a document": (lambda frame: frame.with_columns(pl.lit(b"another").alias("body")), "documents"),
    "a window": (more("closed_at"), "windows"),
    "a balance": (more("debits_posted"), "balances"),
    "a checkpoint": (more("size"), "checkpoints"),
    "a tile": (more("first_position"), "proof_tiles"),
    "a salt": (lambda frame: frame.with_columns(pl.lit(bytes(32)).alias("secret")), "checkpoint_salts"),
    "a column of another type": (
        lambda frame: frame.with_columns(pl.col("amount").cast(pl.Int32)),
        "transfers",
    ),
    "no column": (lambda frame: frame.drop("amount"), "transfers"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_file_with_a_manifest_that_fits_does_not_verify(
    exported: Path, tmp_path: Path, forgery: str
) -> None:
    change, table = FORGERIES[forgery]
    forged(exported, change, table)
    target = new_ledger(tmp_path / "target.db")
    with pytest.raises((ExportDamaged, DatabaseDamaged)):
        taken(target, exported, public_key=SIGNER.public_key)
    database = Database(target)
    with database.transaction() as connection:
        assert store.is_empty(connection, store.table_named(TABLES, "transfers"))
    database.close()


def test_checkpoints_of_another_key_are_not_taken_in(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseDamaged, match="not signed by this key"):
        taken(new_ledger(tmp_path / "target.db"), exported, public_key=bytes(range(32)))


def test_a_manifest_says_what_it_says_in_one_way(exported: Path, tmp_path: Path) -> None:
    target, good = new_ledger(tmp_path / "target.db"), (exported / NAME).read_bytes()
    told = json.loads(good)
    outside = told | {"parts": [told["parts"][0] | {"path": "../ledger.db"}]}
    unknown = told | {"parts": [told["parts"][0] | {"table": "sqlite_master"}]}
    other_head = told | {"head": "00" * 32}
    for data in (
        b"",
        b"{}",
        good[:-2],
        good + b" ",
        *(json.dumps(one, indent=1).encode() + b"\n" for one in (outside, unknown, other_head)),
    ):
        (exported / NAME).write_bytes(data)
        with pytest.raises(ExportDamaged):
            taken(target, exported)
    (exported / NAME).unlink()
    with pytest.raises(ExportDamaged, match=NAME):
        taken(target, exported)


def test_a_file_that_the_manifest_does_not_name_is_refused(exported: Path, tmp_path: Path) -> None:
    shutil.copy(exported / NAME, exported / "journal" / "more.parquet")
    with pytest.raises(ExportDamaged, match=r"more\.parquet"):
        taken(new_ledger(tmp_path / "target.db"), exported)


def test_a_ledger_that_is_not_empty_takes_nothing_in(exported: Path, filled: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportRefused, match="not empty"):
        taken(f"sqlite:///{filled.parent / 'ledger.db'}", exported)
    target = new_ledger(tmp_path / "target.db")
    taken(target, exported)
    with pytest.raises(ExportRefused, match="not empty"):
        taken(target, exported)


def test_one_business_date_is_exported_by_itself(sqlite_url: str, clock: SetClock, tmp_path: Path) -> None:
    fill(sqlite_url, clock)
    database = Database(sqlite_url)
    with database.transaction() as connection:
        days = sorted(set(connection.execute(sa.text("SELECT business_date FROM blocks")).scalars()))
    one = date_of(days[1]).isoformat()
    found = out(sqlite_url, tmp_path / "day", Wanted(days=(days[1],)))
    assert {path.rsplit("/", 1)[0] for path in found if path != NAME} == {f"journal/{one}"}
    frame = pl.read_parquet(tmp_path / "day" / "journal" / one / "transfers-00001.parquet")
    assert frame["position"].to_list() == [4, 5, 6]
    assert set(frame["business_date"]) == {days[1]}
    with pytest.raises(ExportRefused, match="whole export"):
        taken(new_ledger(tmp_path / "target.db"), tmp_path / "day")
    with pytest.raises(ExportRefused, match="no entries"):
        export(database, TABLES, tmp_path / "none", Wanted(days=(type(days[0])(5),)))
    database.close()


def test_csv_holds_the_same_with_bytes_in_hexadecimal(
    sqlite_url: str, clock: SetClock, tmp_path: Path
) -> None:
    fill(sqlite_url, clock)
    found = out(sqlite_url, tmp_path / "csv", Wanted("csv"))
    whole = out(sqlite_url, tmp_path / "parquet")
    assert {name.removesuffix(".csv") for name in found} == {name.removesuffix(".parquet") for name in whole}
    for path in (path for path in found if path != NAME):
        table = pl.read_csv(tmp_path / "csv" / path, infer_schema=False)
        twin = pl.read_parquet(tmp_path / "parquet" / path.replace(".csv", ".parquet"))
        assert table.columns == twin.columns
        blobs = [name for name, kind in twin.schema.items() if kind == pl.Binary]
        plain = twin.with_columns(pl.col(blobs).bin.encode("hex")).cast(pl.String)
        assert table.fill_null("").equals(plain.fill_null(""))


def test_an_export_never_writes_over_another_and_leaves_no_half_of_itself(
    sqlite_url: str, clock: SetClock, tmp_path: Path
) -> None:
    fill(sqlite_url, clock)
    half = tmp_path / "out.part"
    half.mkdir()
    (half / "left.parquet").write_bytes(b"of an attempt that was broken off")
    out(sqlite_url, tmp_path / "out")
    assert not half.exists()
    with pytest.raises(ExportRefused, match="there already"):
        out(sqlite_url, tmp_path / "out")


def test_an_export_is_as_of_one_commit_while_others_post(url: str, clock: SetClock, tmp_path: Path) -> None:
    add_tables(url)
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer() for _ in range(4)])
        beside = Database(url)

        def post_meanwhile(_done: int, _whole: int) -> None:
            ledger.post([transfer()])

        export(beside, TABLES, tmp_path / "out", Wanted(), post_meanwhile)
        beside.close()
        assert ledger.head().position > 4
    target = new_ledger(tmp_path / "target.db")
    taken(target, tmp_path / "out")
    assert read(tmp_path / "out").position == 4


def test_large_tables_come_in_pieces(
    sqlite_url: str, clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tables(sqlite_url)
    monkeypatch.setattr(store, "ROWS_A_PART", 100)
    with Ledger.open(sqlite_url, clock) as ledger:
        rows = np.zeros(250, ROW)
        rows["debit"], rows["credit"], rows["amount"], rows["kind"] = PURSE, OPERATOR, 5, 1
        ledger.writer.submit(Ledger.columns(rows)).result()
    first = out(sqlite_url, tmp_path / "out")
    counts = [part.rows for part in read(tmp_path / "out").parts if part.table == "transfers"]
    assert counts == [100, 100, 50]
    target = new_ledger(tmp_path / "target.db")
    taken(target, tmp_path / "out")
    assert out(target, tmp_path / "again") == first
