"""Take a whole export into an empty ledger, in one transaction: everything is there and checked, or nothing is.

Each file must be what the manifest says before the first is used; then the chain, the replay through the engine, refunds, checkpoints, and what
else a caller wants to check are looked at as they stand in the database, before the commit.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger import tables
from ledger.balance import NOTHING, Balance
from ledger.chart import AccountId, describe
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged, ExportDamaged, ExportRefused, StorageError
from ledger.exports import frames, manifest, store
from ledger.exports.sending import BALANCES
from ledger.exports.trying import Trial
from ledger.orders.refund_check import RefundCheck
from ledger.proofs import verify as proofs
from ledger.rows.store import JournalRows
from ledger.store import Database
from ledger.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from ledger.exports.manifest import Manifest, Part
    from ledger.proofs.verify import Proven
    from ledger.store import Connection, TableSet
    from ledger.verify import Verified

    Progress = Callable[[int, int], None]


class Within(Database):
    """A database as one open transaction sees it: for checks before the commit."""

    def __init__(self, outer: Database, connection: Connection) -> None:
        self.url = outer.url
        self._connection = connection

    def check(self, *, whole: bool = False) -> None:  # noqa: ARG002  there is one file, and it is open
        """Raise StorageError where the transaction has ended: nothing can be said then."""
        if self._connection.closed:
            raise StorageError("the transaction that was to be checked has ended: take the export in again")

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The transaction that is open; it neither commits nor ends here."""
        yield self._connection


def take(
    database: Database,
    sets: Sequence[TableSet],
    folder: Path,
    *,
    public_key: bytes | None = None,
    also: Callable[[Database], None] | None = None,
    progress: Progress | None = None,
) -> tuple[Verified, Proven]:
    """Take an export in; `progress` is told (done, all) in files, `also` checks what else there is to check.

    Raises ExportDamaged, naming the file; ExportRefused where the export is not whole or the ledger not empty; DatabaseDamaged where what
    was exported does not verify.
    """
    found = _checked(folder, sets)
    with database.writing() as connection:
        _need_empty(connection, sets)
        store.forget_meta(connection)
        _fill(connection, sets, folder, found, progress)
        inside = Within(database, connection)
        given_back = RefundCheck()
        whole = verify(inside, inspect=given_back.inspect)
        if (whole.blocks, whole.transfers, whole.head.hex()) != (found.block, found.position, found.head):
            raise ExportDamaged("manifest.json names another head of the journal than its files have")
        given_back.finish(inside)
        proven = proofs.verify(inside, public_key)
        if also is not None:
            also(inside)
    return whole, proven


def _checked(folder: Path, sets: Sequence[TableSet]) -> Manifest:
    """The manifest, once every file is what it says."""
    found = manifest.read(folder)
    if not found.complete or found.kind != "parquet":
        raise ExportRefused(
            "only a whole export in Parquet can be taken in: export without --date and --format"
        )
    if found.schema != tables.SCHEMA_VERSION:
        raise ExportRefused(
            f"the export has schema {found.schema}, this release {tables.SCHEMA_VERSION}: use that release, then upgrade"
        )
    strange = manifest.strangers(folder, found)
    if strange:
        raise ExportDamaged(f"{strange[0]} is in the folder, and the manifest does not name it: take it away")
    for part in found.parts:
        manifest.check(folder, part)
        if part.table != "balances":
            store.table_named(sets, part.table)
    with Trial() as trial:  # a process of its own: it begins when there is nothing cheaper left to find
        for part in found.parts:
            trial.look(folder / part.path, part.path)
    return found


def _need_empty(connection: Connection, sets: Sequence[TableSet]) -> None:
    for table in (tables.transfers, tables.blocks, tables.documents, *store.other_tables(sets)):
        if table.name != store.META and not store.is_empty(connection, table):
            raise ExportRefused(
                f"the ledger is not empty ({table.name} has rows): make a new one with hebat ledger init"
            )


def _fill(
    connection: Connection, sets: Sequence[TableSet], folder: Path, found: Manifest, progress: Progress | None
) -> None:
    """Write every file's rows, and replay the journal's through an engine: its balances must be those that were exported."""
    engine = Engine()
    for done, part in enumerate(found.parts):
        if part.table != "balances":
            _take(connection, sets, folder, part, engine)
        if progress is not None:
            progress(done + 1, len(found.parts))
    exported = dict(_balances(folder, found))
    for account in sorted(exported.keys() | engine.balances().keys()):
        if engine.balance(account) != exported.get(account, NOTHING):
            raise ExportDamaged(
                f"tables/balances: {describe(account)} has another balance than the exported journal gives"
            )


def _take(connection: Connection, sets: Sequence[TableSet], folder: Path, part: Part, engine: Engine) -> None:
    table = store.table_named(sets, part.table)
    frame = frames.read(folder / part.path, store.kinds_of(table), part.rows, part.path)
    if table.name == "transfers":
        rows = frames.rows_of(frame)
        try:
            engine.replay(rows)
        except DatabaseDamaged as error:
            raise ExportDamaged(f"{part.path}: {error}") from None
        JournalRows(rows, copied=connection.dialect.name == "postgresql").write(connection)
    else:
        store.add(connection, table, frames.columns_of(frame))


def _balances(folder: Path, found: Manifest) -> Iterator[tuple[AccountId, Balance]]:
    for part in found.parts:
        if part.table == "balances":
            frame: pl.DataFrame = frames.read(folder / part.path, BALANCES, part.rows, part.path)
            for _, account, *sums in frame.iter_rows():
                yield AccountId(account), Balance(*sums)
