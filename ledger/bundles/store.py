"""Reading and writing bundles and blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keys.bundle import EVERY, BundleKind
from keys.clock import UnixMs
from ledger.bundles import tables
from ledger.intake.tables import cards
from ledger.tables import WHOLE
from ledger.watch import store as watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Issued:
    """A bundle as the shelf lists it; base 0 is a full one."""

    kind: BundleKind
    number: int
    base: int
    audience: str
    valid_from: UnixMs
    issued_at: UnixMs
    bytes: int


@dataclass(frozen=True, slots=True)
class Block:
    """A card taken out of use at a moment, and put back at another (0: it is still blocked)."""

    uid: int
    reason: str
    blocked_at: UnixMs
    unblocked_at: UnixMs

    def covers(self, at: UnixMs) -> bool:
        """True where the card was blocked at a moment."""
        return self.blocked_at <= at and (not self.unblocked_at or at < self.unblocked_at)


def insert_bundle(connection: sa.Connection, issued: Issued, body: bytes) -> None:
    """Keep a signed bundle."""
    values = {
        "partition": WHOLE, "kind": issued.kind.value, "number": issued.number, "base": issued.base,
        "audience": issued.audience, "valid_from": issued.valid_from, "issued_at": issued.issued_at, "body": body,
    }  # fmt: skip
    connection.execute(sa.insert(tables.bundles), values)


def last_number(connection: sa.Connection, kind: BundleKind) -> int:
    """The highest number of a kind, for whatever audience; 0 where there is none."""
    table = tables.bundles
    query = sa.select(sa.func.max(table.c.number)).where(
        table.c.partition == WHOLE, table.c.kind == kind.value
    )
    return int(connection.execute(query).scalar() or 0)


def full_bundles(connection: sa.Connection, audience: str, kind: BundleKind | None = None) -> list[Issued]:
    """The full bundles that a terminal of a class may take, by kind and number; all classes' for ""."""
    table = tables.bundles
    wanted = [table.c.base == 0]
    if kind is not None:
        wanted.append(table.c.kind == kind.value)
    if audience:
        wanted.append(table.c.audience.in_([EVERY, audience]))
    return _listed(connection, wanted)


def all_bundles(connection: sa.Connection) -> list[Issued]:
    """Every bundle, deltas too."""
    return _listed(connection, [])


def _listed(connection: sa.Connection, wanted: Sequence[Any]) -> list[Issued]:
    table = tables.bundles
    columns = (
        table.c.kind, table.c.number, table.c.base, table.c.audience, table.c.valid_from, table.c.issued_at,
        sa.func.length(table.c.body),
    )  # fmt: skip
    query = sa.select(*columns).where(table.c.partition == WHOLE, *wanted)
    rows = connection.execute(query.order_by(table.c.kind, table.c.number, table.c.base))
    return [Issued(BundleKind(kind), *rest) for kind, *rest in rows]


def body_of(connection: sa.Connection, kind: BundleKind, number: int, base: int = 0) -> bytes | None:
    """A bundle's signed bytes."""
    table = tables.bundles
    query = sa.select(table.c.body).where(
        table.c.partition == WHOLE,
        table.c.kind == kind.value,
        table.c.number == number,
        table.c.base == base,
    )
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def delta_on(connection: sa.Connection, kind: BundleKind, base: int) -> int:
    """The number of the delta that follows a number; 0 where there is none."""
    table = tables.bundles
    query = sa.select(sa.func.min(table.c.number)).where(
        table.c.partition == WHOLE, table.c.kind == kind.value, table.c.base == base, table.c.base > 0
    )
    return int(connection.execute(query).scalar() or 0)


def blocks_of(connection: sa.Connection, cards: Iterable[tuple[int, int]]) -> list[Block]:
    """All blocks that some cards (partition, UID) ever had, oldest first."""
    table = tables.card_blocks
    wanted = list(cards)
    if not wanted:
        return []
    partitions, uids = {partition for partition, _ in wanted}, {uid for _, uid in wanted}
    query = _blocks().where(table.c.partition.in_(partitions), table.c.uid.in_(uids))
    return [_block(row) for row in connection.execute(query)]


def blocked_now(connection: sa.Connection) -> list[Block]:
    """The blocks that hold."""
    query = _blocks().where(tables.card_blocks.c.unblocked_at == 0)
    return [_block(row) for row in connection.execute(query)]


def all_blocks(connection: sa.Connection) -> list[Block]:
    """Every block that any card ever had, those of one card oldest first."""
    return [_block(row) for row in connection.execute(_blocks())]


def blocked_numbers(connection: sa.Connection) -> list[tuple[int, int]]:
    """Partition and number (without check digit) of the cards that are blocked."""
    return _numbers(connection, tables.card_blocks.c.unblocked_at == 0)


def ever_blocked_numbers(connection: sa.Connection) -> list[tuple[int, int]]:
    """The same of the cards that ever were."""
    return _numbers(connection, sa.true())


def _numbers(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[tuple[int, int]]:
    blocks = tables.card_blocks
    same_card = sa.and_(cards.c.partition == blocks.c.partition, cards.c.uid == blocks.c.uid)
    query = sa.select(blocks.c.partition, cards.c.card_number).join(cards, same_card).where(which)
    return [(partition, number // 10) for partition, number in connection.execute(query)]


def is_blocked(connection: sa.Connection, partition: int, number: int) -> bool:
    """True while the card of a number (without check digit) is blocked."""
    # By the driver itself: asked before each payment, and whole numbers of ours alone.
    held = f"b.partition = {int(partition)} AND b.unblocked_at = 0"
    of_it = f"c.card_number BETWEEN {10 * int(number)} AND {10 * int(number) + 9}"
    return connection.exec_driver_sql(f"{_BLOCKED} WHERE {held} AND {of_it} LIMIT 1").first() is not None


_BLOCKED: Final = (
    "SELECT b.uid FROM card_blocks b JOIN cards c ON c.partition = b.partition AND c.uid = b.uid"
)


def _blocks() -> sa.Select[Any]:
    table = tables.card_blocks
    columns = (table.c.uid, table.c.reason, table.c.blocked_at, table.c.unblocked_at)
    return sa.select(*columns).order_by(table.c.uid, table.c.place)


def _block(row: Any) -> Block:
    uid, reason, blocked_at, unblocked_at = row
    return Block(uid, reason, UnixMs(blocked_at), UnixMs(unblocked_at))


def insert_block(connection: sa.Connection, partition: int, place: int, block: Block) -> None:
    """Block a card; `place` counts the blocks of one card from 0."""
    connection.execute(
        sa.insert(tables.card_blocks),
        {
            "partition": partition, "uid": block.uid, "place": place, "reason": block.reason,
            "blocked_at": block.blocked_at, "unblocked_at": block.unblocked_at,
        },
    )  # fmt: skip
    watch.moved(connection, watch.BLOCKS)


def end_block(connection: sa.Connection, partition: int, uid: int, at: UnixMs) -> None:
    """Put a card back into use."""
    table = tables.card_blocks
    holds = (table.c.partition == partition, table.c.uid == uid, table.c.unblocked_at == 0)
    connection.execute(sa.update(table).where(*holds).values(unblocked_at=at))
    watch.moved(connection, watch.BLOCKS)
