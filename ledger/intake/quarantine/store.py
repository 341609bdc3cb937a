"""What the intake did not post or cannot explain: records in quarantine, exceptions, and batches that were refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keys.clock import UnixMs
from ledger.intake import tables
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger.writer import Transaction


REFUSED_MAX: Final = 10_000
REFUSED_BYTES_MAX: Final = 256 << 20
"""What refused batches may take up, so that nobody fills the disk with garbage; who sent one keeps it, having no receipt."""


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


def insert_quarantine(tx: Transaction, rows: Sequence[QuarantineRow]) -> None:
    """Keep records that were not posted."""
    for row in rows:
        tx.add(tables.quarantine, {"partition": WHOLE, **values_of(row)})


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
    query = sa.select(*columns_of(table, QuarantineRow)).where(table.c.partition == WHOLE)
    if only_open:
        query = query.where(table.c.resolution == "")
    return [
        quarantine_row(row) for row in connection.execute(query.order_by(table.c.terminal, table.c.sequence))
    ]


def quarantine_row(row: Any) -> QuarantineRow:
    """A quarantined record as the database gives it."""
    values = list(row)
    values[2], values[7] = Reason(values[2]), bytes(values[7])
    return QuarantineRow(*values)


def insert_exceptions(tx: Transaction, rows: Iterable[ExceptionRow]) -> None:
    """Raise exceptions."""
    for row in rows:
        tx.add(tables.exceptions, values_of(row))


def read_exceptions(connection: sa.Connection) -> list[ExceptionRow]:
    """All exceptions, oldest first."""
    table = tables.exceptions
    query = sa.select(*columns_of(table, ExceptionRow)).order_by(
        table.c.raised_at, table.c.terminal, table.c.sequence
    )
    return [exception_row(row) for row in connection.execute(query)]


def exception_row(row: Any) -> ExceptionRow:
    """An exception as the database gives it."""
    values = list(row)
    values[3] = ExceptionKind(values[3])
    return ExceptionRow(*values)


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
    connection.execute(sa.insert(table), {"partition": WHOLE, **values_of(row)})
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
        sa.select(*columns_of(table, RefusedRow))
        .where(table.c.partition == WHOLE)
        .order_by(table.c.received_at)
    )
    return [
        RefusedRow(bytes(digest), reason, detail, bytes(body), UnixMs(at))
        for digest, reason, detail, body, at in connection.execute(query)
    ]
