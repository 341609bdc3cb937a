"""Reading and writing the proofs' tables, and the books as leaves need them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keys.clock import Day
from ledger import tables as journal
from ledger.archive import store as archive
from ledger.chart import PARTITIONS, partition_of
from ledger.errors import DatabaseDamaged
from ledger.intake import tables as intake
from ledger.proofs import tables
from ledger.proofs.growing import Tile, edge
from ledger.proofs.leaves import TAP
from ledger.proofs.merkle import HASH_BYTES
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

TAPS_A_CHUNK: Final = 20_000
_NAMED_AT_ONCE: Final = 500
_TAP_COLUMNS: Final = [intake.taps.c[name] for name in TAP.names or () if name != "card_number"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint as it is kept: see `ledger.proofs.tables`."""

    business_date: Day
    size: int
    moved: int
    position: int
    signed: bytes


def _add(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows; those that are there already stay as they are."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    if rows:
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def read_checkpoints(connection: sa.Connection) -> list[Kept]:
    """All checkpoints, oldest first."""
    rows = connection.execute(_checkpoints())
    return [Kept(Day(day), size, moved, at, bytes(signed)) for day, size, moved, at, signed in rows]


@cache
def _checkpoints() -> sa.Select[*tuple[Any, ...]]:
    table = tables.checkpoints
    query = sa.select(*columns_of(table, Kept)).where(table.c.partition == WHOLE)
    return query.order_by(table.c.business_date)


def add_checkpoint(connection: sa.Connection, kept: Kept) -> None:
    """Keep a checkpoint, unless its business date has one."""
    values = values_of(kept)
    _add(connection, tables.checkpoints, [{"partition": WHOLE, **values}])


def add_secret(connection: sa.Connection, day: Day, secret: bytes) -> None:
    """Keep the secret of a business date's salts, unless it has one."""
    _add(connection, tables.checkpoint_salts, [{"partition": WHOLE, "business_date": day, "secret": secret}])


def read_secret(connection: sa.Connection, day: Day) -> bytes:
    """The secret of a business date's salts; raises DatabaseDamaged where it is gone."""
    table = tables.checkpoint_salts
    query = sa.select(table.c.secret).where(table.c.partition == WHOLE, table.c.business_date == day)
    found = connection.execute(query).scalar()
    if not isinstance(found, bytes | memoryview) or len(found) != HASH_BYTES:
        raise DatabaseDamaged(f"the salts of day {day} are gone from the proofs: restore them from backup")
    return bytes(found)


def add_tiles(connection: sa.Connection, tiles: Sequence[tuple[Tile, int]]) -> None:
    """Keep tiles, each with its first leaf's position; one that is there at this width already stays as it is."""
    rows = [
        {
            "partition": WHOLE, "level": tile.level, "number": tile.number, "width": len(tile.hashes) // HASH_BYTES,
            "first_position": first, "hashes": tile.hashes,
        }
        for tile, first in tiles
    ]  # fmt: skip
    _add(connection, tables.proof_tiles, rows)


def read_tile(connection: sa.Connection, level: int, number: int, width: int = 0) -> tuple[bytes, int]:
    """A tile at its widest, or at a width, and its first leaf's position; raises DatabaseDamaged where there is none."""
    asked = {"level": level, "number": number, "width": width}
    row = connection.execute(_tile(any_width=not width), asked).first()
    if row is None:
        raise DatabaseDamaged(f"tile {level}/{number} is gone from the proofs: restore them from backup")
    return bytes(row[0]), row[1]


@cache
def _tile(*, any_width: bool) -> sa.Select[bytes, int]:
    table, asked = tables.proof_tiles, sa.bindparam("width", type_=sa.Integer)
    query = sa.select(table.c.hashes, table.c.first_position).where(
        table.c.partition == WHOLE, table.c.level == sa.bindparam("level", type_=sa.Integer),
        table.c.number == sa.bindparam("number", type_=sa.BigInteger),
        table.c.width > asked if any_width else table.c.width == asked,
    )  # fmt: skip
    return query.order_by(table.c.width.desc()).limit(1)


def read_edge(connection: sa.Connection, size: int) -> list[tuple[Tile, int]]:
    """The tiles at the right edge of the tree of a size, with their first leaves' positions."""
    found = []
    for level, number, width in edge(size):
        hashes, first = read_tile(connection, level, number, width)
        found.append((Tile(level, number, hashes), first))
    return found


def tile_before(connection: sa.Connection, first: int, position: int) -> tuple[int, int] | None:
    """The last tile of leaves that begins at a position from `first` to `position`: its number and that position."""
    row = connection.execute(_tile_before(), {"first": first, "last": position}).first()
    return None if row is None else (row[0], row[1])


@cache
def _tile_before() -> sa.Select[int, int]:
    table = tables.proof_tiles
    between = table.c.first_position.between(_FIRST, _LAST)
    query = sa.select(table.c.number, table.c.first_position).where(
        table.c.partition == WHOLE, table.c.level == 0, between
    )
    return query.order_by(table.c.first_position.desc()).limit(1)


_FIRST: Final[sa.BindParameter[int]] = sa.bindparam("first", type_=sa.BigInteger)
_LAST: Final[sa.BindParameter[int]] = sa.bindparam("last", type_=sa.BigInteger)


def moved_taps(connection: sa.Connection, rows: Rows) -> Rows:
    """The card transactions (TAP) whose first transfers are among these journal rows (ROW, by position), in order of position."""
    if not len(rows):
        return np.zeros(0, TAP)
    first, last = int(rows["position"][0]), int(rows["position"][-1])
    reached = archive.reach(connection)
    found = _named_taps(connection, rows[rows["position"] <= reached])
    if last > reached:
        asked = {"first": max(first, reached + 1), "last": last}
        found = np.concatenate([found, _taps(connection.execute(_moved_taps(), asked).all())])
    return found[np.argsort(found["position"])]


def _named_taps(connection: sa.Connection, rows: Rows) -> Rows:
    """Those of rows that are in the archive: their taps are in the database, and are asked for by name."""
    rows = rows[rows["uid"] != 0]
    found = [np.zeros(0, TAP)]
    for partition in np.unique(rows["partition"]).tolist():
        mine = rows[rows["partition"] == partition]
        names = sorted(set(zip(mine["uid"].tolist(), mine["tmc"].tolist(), strict=True)))
        for start in range(0, len(names), _NAMED_AT_ONCE):
            asked = {"partition": partition, "names": names[start : start + _NAMED_AT_ONCE]}
            taps = _taps(connection.execute(_by_name(), asked).all())
            at = np.minimum(np.searchsorted(mine["position"], taps["position"]), len(mine) - 1)
            same = [mine[name][at] == taps[name] for name in ("uid", "tmc", "position")]
            found.append(taps[np.logical_and.reduce(same)])
    return np.concatenate(found)


@cache
def _by_name() -> sa.Select[*tuple[Any, ...]]:
    taps = intake.taps
    names: sa.BindParameter[Any] = sa.bindparam("names", expanding=True)
    return sa.select(*_TAP_COLUMNS, sa.literal(0)).where(
        taps.c.partition == sa.bindparam("partition", type_=sa.Integer),
        sa.tuple_(taps.c.uid, taps.c.tmc).in_(names),
    )


@cache
def _moved_taps() -> sa.Select[*tuple[Any, ...]]:
    taps, rows = intake.taps, journal.transfers
    same = [taps.c[name] == rows.c[name] for name in ("partition", "uid", "tmc", "position")]
    return (
        sa.select(*_TAP_COLUMNS, sa.literal(0))
        .select_from(rows.join(taps, sa.and_(*same)))
        .where(rows.c.partition.in_(range(PARTITIONS)), rows.c.position.between(_FIRST, _LAST))
    )


def free_taps(connection: sa.Connection, after: Day, last: Day) -> Iterator[Rows]:
    """The card transactions (TAP) of some business dates that moved no money, in the order of their leaves."""
    taps, cards = intake.taps, intake.cards
    query = (
        sa.select(*_TAP_COLUMNS, cards.c.card_number)
        .select_from(
            taps.join(cards, sa.and_(taps.c.partition == cards.c.partition, taps.c.uid == cards.c.uid))
        )
        .where(taps.c.position == 0, taps.c.business_date > after, taps.c.business_date <= last)
        .order_by(taps.c.business_date, taps.c.partition, taps.c.uid, taps.c.tmc)
        .execution_options(yield_per=TAPS_A_CHUNK)
    )
    for part in connection.execute(query).partitions():
        yield _taps(part)


def free_before(connection: sa.Connection, after: Day, tap: np.void) -> int:
    """How many taps without money come before one, from the business date after `after`."""
    table = intake.taps
    names = ("business_date", "partition", "uid", "tmc")
    earlier = sa.tuple_(*[table.c[name] for name in names]) < sa.tuple_(
        *[sa.literal(int(tap[name])) for name in names]
    )
    query = sa.select(sa.func.count()).where(table.c.position == 0, table.c.business_date > after, earlier)
    return int(connection.execute(query).scalar_one())


def cards_of(connection: sa.Connection, number: int) -> list[tuple[int, int]]:
    """Partition and UID of the cards of a number: two, where a torn one was made again."""
    table, partition = intake.cards, partition_of(number // 10)
    query = sa.select(table.c.uid).where(table.c.partition == partition, table.c.card_number == number)
    return [(partition, uid) for uid in connection.execute(query.order_by(table.c.uid)).scalars()]


def tap_of(connection: sa.Connection, partition: int, uid: int, tmc: int) -> np.void | None:
    """A card transaction (TAP) by its identity."""
    taps, cards = intake.taps, intake.cards
    on = sa.and_(taps.c.partition == cards.c.partition, taps.c.uid == cards.c.uid)
    query = (
        sa.select(*_TAP_COLUMNS, cards.c.card_number)
        .select_from(taps.join(cards, on))
        .where(taps.c.partition == partition, taps.c.uid == uid, taps.c.tmc == tmc)
    )
    found = _taps(connection.execute(query).all())
    return found[0] if len(found) else None


def _taps(rows: Sequence[Any]) -> Rows:
    return np.array([tuple(row) for row in rows], TAP)
