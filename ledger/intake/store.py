"""Reading and writing the intake's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from card.batch import RELAYED_FROM
from keys.clock import Day, UnixMs
from ledger.intake import tables
from ledger.intake.memory import Tail
from ledger.intake.outcomes import Outcomes
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ledger.writer import Transaction


CLOSED: Final = "closed"
"""State of a load that needs nothing more: its record is in the books."""
REFUSED_MAX: Final = 10_000
REFUSED_BYTES_MAX: Final = 256 << 20
"""What refused batches may take up, so that nobody fills the disk with garbage; who sent one keeps it, having no receipt."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it was taken in; its signed bytes are the document (block, ordinal) of the journal."""

    terminal: int
    first_sequence: int
    last_sequence: int
    digest: bytes
    block: int
    ordinal: int
    received_at: UnixMs
    outcomes: Outcomes
    last_occurred_at: UnixMs

    @property
    def results(self) -> list[dict[str, Any]]:
        """One result a record, as the terminal was told."""
        return self.outcomes.said()


@dataclass(frozen=True, slots=True)
class TapRow:
    """A card transaction that is in the books; amounts in sen, `position` of its first transfer (0: no money moved).

    `seen_tmv` is the value of the transaction before, as the card's Transaction MAC file showed it.
    """

    partition: int
    uid: int
    tmc: int
    identity: bytes
    terminal: int
    sequence: int
    kind: int
    amount: int
    balance_after: int
    position: int
    occurred_at: UnixMs
    service_day: Day
    business_date: Day
    route: str
    stop: str
    rules: str
    seen_tmv: bytes


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A record that was not posted: its bytes, why, and how it was settled ("" while open)."""

    terminal: int
    sequence: int
    reason: Reason
    detail: str
    uid: int
    tmc: int
    amount: int
    raw: bytes
    received_at: UnixMs
    resolution: str = ""
    resolved_at: UnixMs = UnixMs(0)  # noqa: RUF009  an int by another name


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """Something about a card transaction that somebody must explain."""

    partition: int
    uid: int
    tmc: int
    kind: ExceptionKind
    terminal: int
    sequence: int
    detail: str
    raised_at: UnixMs


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A batch that was not taken in, byte for byte."""

    digest: bytes
    reason: str
    detail: str
    body: bytes
    received_at: UnixMs


@dataclass(frozen=True, slots=True)
class LoadRow:
    """An authorised load or refund: the hold's position, the request that it answers, and the sale that is given back (0 for a load)."""

    terminal: int
    request: int
    digest: bytes
    uid: int
    amount: int
    hold: int
    received_at: UnixMs
    state: str = CLOSED
    intent: bytes = b""
    sale_terminal: int = 0
    sale_sequence: int = 0
    reason: str = ""


def _columns(table: sa.Table, kind: type[Any]) -> list[sa.Column[Any]]:
    return [table.c[name] for name in kind.__slots__]


def _values(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__slots__}


def tail_of(connection: sa.Connection, terminal: int) -> Tail | None:
    """The end of the chain of batches that a terminal sent itself."""
    table = tables.batches
    query = sa.select(table.c.last_sequence, table.c.digest, table.c.last_occurred_at).where(
        table.c.partition == WHOLE, table.c.terminal == terminal, table.c.first_sequence < RELAYED_FROM
    )
    row = connection.execute(query.order_by(table.c.first_sequence.desc()).limit(1)).first()
    return None if row is None else Tail(row[0], bytes(row[1]), UnixMs(row[2]))


def batch_at(connection: sa.Connection, terminal: int, first_sequence: int) -> BatchRow | None:
    """A terminal's batch by its first sequence number."""
    table = tables.batches
    where = sa.and_(table.c.terminal == terminal, table.c.first_sequence == first_sequence)
    return next(_batches(connection, where), None)


def all_batches(connection: sa.Connection) -> Iterator[BatchRow]:
    """All batches in the order in which they were taken in."""
    table = tables.batches
    return _batches(connection, sa.true(), order=(table.c.block, table.c.ordinal))


def batches_after(connection: sa.Connection, block: int) -> Iterator[BatchRow]:
    """The batches that were taken in after a block, in their order."""
    table = tables.batches
    return _batches(connection, table.c.block > block, order=(table.c.block, table.c.ordinal))


def _batches(
    connection: sa.Connection, where: Any, order: tuple[Any, ...] = (), limit: int | None = None
) -> Iterator[BatchRow]:
    table = tables.batches
    columns = [table.c["results" if name == "outcomes" else name] for name in BatchRow.__slots__]
    query = sa.select(*columns).where(table.c.partition == WHOLE, where)
    for row in connection.execute(query.order_by(*order).limit(limit)):
        terminal, first, last, digest, block, ordinal, at, results, occurred = row
        yield BatchRow(
            terminal, first, last, bytes(digest), block, ordinal, UnixMs(at), Outcomes.read(results), UnixMs(occurred)
        )  # fmt: skip


def insert_batch(tx: Transaction, row: BatchRow) -> None:
    """Record a batch and what became of its records."""
    values = _values(row)
    values["results"] = values.pop("outcomes").stored()
    tx.add(tables.batches, {"partition": WHOLE, **values})


def seen_after(connection: sa.Connection, partition: int, uid: int, tmc: int) -> bytes:
    """What the card showed of a transaction when the next one began; b"" where the next one is not in the books."""
    table = tables.taps
    query = sa.select(table.c.seen_tmv).where(
        table.c.partition == partition, table.c.uid == uid, table.c.tmc == tmc + 1
    )
    return bytes(connection.execute(query).scalar() or b"")


def insert_tap(tx: Transaction, row: TapRow) -> None:
    """Take a card transaction into the books."""
    tx.add(tables.taps, _values(row))


def taps_of(connection: sa.Connection, partition: int, uid: int, limit: int) -> list[TapRow]:
    """A card's newest taps."""
    table = tables.taps
    query = sa.select(*_columns(table, TapRow)).where(table.c.partition == partition, table.c.uid == uid)
    return [tap_row(row) for row in connection.execute(query.order_by(table.c.tmc.desc()).limit(limit))]


def tap_at(connection: sa.Connection, partition: int, uid: int, tmc: int) -> TapRow | None:
    """A card's tap by its counter; None where it is not in the books."""
    table = tables.taps
    query = sa.select(*_columns(table, TapRow)).where(
        table.c.partition == partition, table.c.uid == uid, table.c.tmc == tmc
    )
    row = connection.execute(query).first()
    return None if row is None else tap_row(row)


def batch_with(connection: sa.Connection, terminal: int, sequence: int) -> BatchRow | None:
    """The batch in which a terminal sent its record of a number."""
    table = tables.batches
    where = sa.and_(
        table.c.terminal == terminal, table.c.first_sequence <= sequence, table.c.last_sequence >= sequence
    )
    return next(_batches(connection, where, order=(table.c.first_sequence.desc(),), limit=1), None)


def all_taps(connection: sa.Connection) -> Iterator[TapRow]:
    """All taps, a card after another."""
    table = tables.taps
    query = sa.select(*_columns(table, TapRow)).order_by(table.c.partition, table.c.uid, table.c.tmc)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield tap_row(row)


def tap_row(row: Any) -> TapRow:
    """A tap as the database gives it."""
    values = list(row)
    values[3], values[-1] = bytes(values[3]), bytes(values[-1])
    return TapRow(*values)


def insert_quarantine(tx: Transaction, rows: Sequence[QuarantineRow]) -> None:
    """Keep records that were not posted."""
    for row in rows:
        tx.add(tables.quarantine, {"partition": WHOLE, **_values(row)})


def resolve_quarantine(
    connection: sa.Connection, terminal: int, sequence: int, resolution: str, at: UnixMs
) -> None:
    """Say how a quarantined record was settled."""
    table = tables.quarantine
    connection.execute(
        sa.update(table)
        .where(table.c.partition == WHOLE, table.c.terminal == terminal, table.c.sequence == sequence)
        .values(resolution=resolution, resolved_at=at)
    )


def read_quarantine(connection: sa.Connection, *, only_open: bool = False) -> list[QuarantineRow]:
    """Quarantined records, by terminal and sequence."""
    table = tables.quarantine
    query = sa.select(*_columns(table, QuarantineRow)).where(table.c.partition == WHOLE)
    if only_open:
        query = query.where(table.c.resolution == "")
    found = []
    for row in connection.execute(query.order_by(table.c.terminal, table.c.sequence)):
        values = list(row)
        values[2], values[7] = Reason(values[2]), bytes(values[7])
        found.append(QuarantineRow(*values))
    return found


def insert_exceptions(tx: Transaction, rows: Iterable[ExceptionRow]) -> None:
    """Raise exceptions."""
    for row in rows:
        tx.add(tables.exceptions, _values(row))


def read_exceptions(connection: sa.Connection) -> list[ExceptionRow]:
    """All exceptions, oldest first."""
    table = tables.exceptions
    query = sa.select(*_columns(table, ExceptionRow)).order_by(
        table.c.raised_at, table.c.terminal, table.c.sequence
    )
    found = []
    for row in connection.execute(query):
        values = list(row)
        values[3] = ExceptionKind(values[3])
        found.append(ExceptionRow(*values))
    return found


def keep_refused(connection: sa.Connection, row: RefusedRow) -> bool:
    """Keep a refused batch, the same bytes once; False where the limits leave no room for another."""
    table = tables.refused
    known = connection.execute(
        sa.select(table.c.digest).where(table.c.partition == WHOLE, table.c.digest == row.digest)
    ).scalar()
    if known is not None:
        return True
    room = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(table.c.body)), 0))
    rows, octets = connection.execute(room.where(table.c.partition == WHOLE)).one()
    if rows >= REFUSED_MAX or octets + len(row.body) > REFUSED_BYTES_MAX:
        return False
    connection.execute(sa.insert(table), {"partition": WHOLE, **_values(row)})
    return True


def refused_since(connection: sa.Connection, digest: bytes) -> UnixMs | None:
    """When these bytes were first refused; None where they never were."""
    table = tables.refused
    query = sa.select(table.c.received_at).where(table.c.partition == WHOLE, table.c.digest == digest)
    return connection.execute(query).scalar()


def read_refused(connection: sa.Connection) -> list[RefusedRow]:
    """Refused batches, oldest first."""
    table = tables.refused
    query = (
        sa.select(*_columns(table, RefusedRow))
        .where(table.c.partition == WHOLE)
        .order_by(table.c.received_at)
    )
    return [
        RefusedRow(bytes(digest), reason, detail, bytes(body), UnixMs(at))
        for digest, reason, detail, body, at in connection.execute(query)
    ]


def load_of(connection: sa.Connection, terminal: int, request: int) -> LoadRow | None:
    """An authorised load by the terminal's request number."""
    table = tables.loads
    return _load(connection, sa.and_(table.c.terminal == terminal, table.c.request == request))


def load_of_hold(connection: sa.Connection, terminal: int, hold: int) -> LoadRow | None:
    """An authorised load of a terminal by its hold."""
    table = tables.loads
    return _load(connection, sa.and_(table.c.terminal == terminal, table.c.hold == hold))


def _load(connection: sa.Connection, where: Any) -> LoadRow | None:
    table = tables.loads
    query = sa.select(*_columns(table, LoadRow)).where(table.c.partition == WHOLE, where)
    row = connection.execute(query).first()
    return None if row is None else load_row(row)


def load_row(row: Any) -> LoadRow:
    """A load as the database gives it."""
    values = list(row)
    values[2], values[8] = bytes(values[2]), bytes(values[8])
    return LoadRow(*values)


def insert_load(connection: sa.Connection, row: LoadRow) -> None:
    """Record an authorised load."""
    connection.execute(sa.insert(tables.loads), {"partition": WHOLE, **_values(row)})
