"""Releases, the banks' reports and what became of each payment, in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from settlement.payments.model import Outcome, Release, Report, Status
from settlement.store import item_of_row
from settlement.tables import (
    WHOLE,
    items,
    payment_files,
    payment_outcomes,
    payment_releases,
    payment_reports,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.items import Item


@dataclass(frozen=True, slots=True)
class KeptPayment:
    """A payment file without its bytes."""

    business_date: Day
    bank: int
    name: str
    sha256: str
    payments: int
    total: int


def files_of(connection: sa.Connection, day: Day) -> list[KeptPayment]:
    """A window's payment files, by bank."""
    return files(connection, None, payment_files.c.business_date == day)


def files(connection: sa.Connection, limit: int | None, *where: sa.ColumnElement[bool]) -> list[KeptPayment]:
    """The payment files of the newest windows."""
    wanted = [column for column in payment_files.c if column.name not in {"partition", "content"}]
    query = sa.select(*wanted).where(payment_files.c.partition == WHOLE, *where)
    ordered = query.order_by(payment_files.c.business_date.desc(), payment_files.c.bank).limit(limit)
    return [
        KeptPayment(Day(row.business_date), row.bank, row.name, row.sha256, row.payments, row.total)
        for row in connection.execute(ordered)
    ]


def release_of(connection: sa.Connection, day: Day, bank: int) -> Release | None:
    """Who made and released a file; None where nobody made it yet."""
    table = payment_releases
    query = sa.select(table).where(
        table.c.partition == WHOLE, table.c.business_date == day, table.c.bank == bank
    )
    row = connection.execute(query).first()
    return None if row is None else _release(row)


def releases_of(connection: sa.Connection, day: Day) -> list[Release]:
    """The files of a window that were made or released, by bank."""
    table = payment_releases
    query = sa.select(table).where(table.c.partition == WHOLE, table.c.business_date == day)
    return [_release(row) for row in connection.execute(query.order_by(table.c.bank))]


def _release(row: Any) -> Release:
    at = None if row.released_at is None else UnixMs(row.released_at)
    return Release(
        Day(row.business_date), row.bank, row.sha256, row.made_by, UnixMs(row.made_at), row.released_by, at
    )


def insert_release(connection: sa.Connection, made: Release) -> None:
    """Record that somebody stands behind a file."""
    values = {
        "business_date": made.business_date,
        "bank": made.bank,
        "sha256": made.sha256,
        "made_by": made.made_by,
        "made_at": made.made_at,
        "released_by": "",
        "released_at": None,
    }
    connection.execute(sa.insert(payment_releases), {"partition": WHOLE, **values})


def record_release(connection: sa.Connection, released: Release) -> None:
    """Record that another one released it."""
    table = payment_releases
    connection.execute(
        sa.update(table)
        .where(
            table.c.partition == WHOLE,
            table.c.business_date == released.business_date,
            table.c.bank == released.bank,
            table.c.released_at.is_(None),
        )
        .values(released_by=released.released_by, released_at=released.released_at)
    )


def report_with(connection: sa.Connection, sha256: str) -> Report | None:
    """A report that came before, by its digest."""
    table = payment_reports
    query = sa.select(table).where(table.c.partition == WHOLE, table.c.sha256 == sha256)
    row = connection.execute(query).first()
    return None if row is None else _report(row)


def refused_reports(connection: sa.Connection, first: UnixMs, before: UnixMs) -> list[Report]:
    """The reports that were refused from a moment on, up to another: work for people."""
    table = payment_reports
    query = sa.select(table).where(
        table.c.partition == WHOLE, table.c.reason != "", table.c.taken_at >= first, table.c.taken_at < before
    )
    return [_report(row) for row in connection.execute(query.order_by(table.c.taken_at, table.c.sha256))]


def _report(row: Any) -> Report:
    return Report(row.sha256, row.name, row.reason, row.line, UnixMs(row.taken_at))


def keep_report(connection: sa.Connection, report: Report, content: bytes) -> None:
    """Keep a report whole with the verdict on it, in place of an earlier verdict on the same bytes."""
    table = payment_reports
    connection.execute(sa.delete(table).where(table.c.partition == WHOLE, table.c.sha256 == report.sha256))
    values = {
        "sha256": report.sha256,
        "name": report.name,
        "reason": report.reason,
        "line": report.line,
        "taken_at": report.taken_at,
    }
    connection.execute(sa.insert(table), {"partition": WHOLE, "content": content, **values})


def outcomes(connection: sa.Connection, references: Sequence[str] | None = None) -> dict[str, Outcome]:
    """The last outcome of each payment that a bank reported on, by its reference."""
    table = payment_outcomes
    query = sa.select(table).where(table.c.partition == WHOLE)
    if references is not None:
        query = query.where(table.c.reference.in_(references))
    return {row.reference: _outcome(row) for row in connection.execute(query)}


def rejected(connection: sa.Connection) -> list[tuple[Item, Outcome]]:
    """The payments that a bank rejected, with what they were: work for people. By reference."""
    here = sa.and_(
        items.c.partition == payment_outcomes.c.partition, items.c.reference == payment_outcomes.c.reference
    )
    query = (
        sa.select(items, payment_outcomes.c.status, payment_outcomes.c.reason, payment_outcomes.c.sha256)
        .join(payment_outcomes, here)
        .where(items.c.partition == WHOLE, payment_outcomes.c.status == Status.REJECTED.value)
        .order_by(items.c.reference)
    )
    return [(item_of_row(row), _outcome(row)) for row in connection.execute(query)]


def why_rejected(connection: sa.Connection) -> dict[str, str]:
    """The bank's reason for each payment that it rejected, by reference."""
    return {item.reference: outcome.reason for item, outcome in rejected(connection)}


def _outcome(row: Any) -> Outcome:
    return Outcome(row.reference, Status(row.status), row.reason, row.sha256)


def keep_outcomes(connection: sa.Connection, told: Sequence[Outcome]) -> None:
    """Keep what became of payments, in place of what was told before."""
    table = payment_outcomes
    for outcome in told:
        same = (table.c.partition == WHOLE, table.c.reference == outcome.reference)
        connection.execute(sa.delete(table).where(*same))
        values = {
            "reference": outcome.reference,
            "status": outcome.status.value,
            "reason": outcome.reason,
            "sha256": outcome.sha256,
        }
        connection.execute(sa.insert(table), {"partition": WHOLE, **values})
