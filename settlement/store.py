"""Settled windows in the database: what was settled, what is expected, which payment files went out.

Functions take the connection of an open transaction: writing ones that of a unit (`ledger.writer`), so that a window's
entries and its record stand or fall together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger import tables as ledger_tables
from ledger.chart import Code
from ledger.transfer import Kind
from settlement import tables
from settlement.items import Item, ItemKind
from settlement.kept import KeptPosition, PaymentFile, Record, Settlement
from settlement.payments.rails import Rail
from settlement.positions.flows import SETTLEMENT_KINDS
from settlement.positions.model import BankNet, DayLine, Purpose
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable


def insert_settlement(connection: sa.Connection, settlement: Settlement, record: Record) -> None:
    """Record a window as settled, with everything that follows from it."""
    day = settlement.business_date
    _insert(connection, tables.positions, [_position_row(day, position) for position in record.positions])
    _insert(
        connection,
        tables.nets,
        [{"business_date": day, **_values(one), "net": one.net} for one in record.nets],
    )
    _insert(connection, tables.days, [{"business_date": day, **_values(one)} for one in record.days])
    _insert(connection, tables.items, [_item_row(item) for item in record.items])
    _insert(connection, tables.payment_files, [_file_row(file) for file in record.files])
    # The settlement last: from here on the database takes no more of its parts.
    _insert(
        connection,
        tables.settlements,
        [
            {
                "business_date": day,
                "closed_at": settlement.closed_at,
                "head": settlement.head,
                "first_position": settlement.first_position,
                "last_position": settlement.last_position,
            }
        ],
    )


def _values(one: BankNet | DayLine) -> dict[str, int]:
    return {name: int(getattr(one, name)) for name in one.__slots__}


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    if listed := [{"partition": WHOLE, **row} for row in rows]:
        connection.execute(sa.insert(table), listed)


def _position_row(day: Day, position: KeptPosition) -> dict[str, Any]:
    return {
        "business_date": day,
        "purpose": int(position.purpose),
        "bank": position.bank,
        "code": int(position.code),
        "number": position.number,
        "name": position.name,
        "gross": position.gross,
        "refunds": position.refunds,
        "fee": position.fee,
        "net": position.net,
    }


def _item_row(item: Item) -> dict[str, Any]:
    return {
        "reference": item.reference,
        "business_date": item.window,
        "bank": item.bank,
        "kind": item.kind.value,
        "code": int(item.code),
        "party": item.party,
        "name": item.name,
        "amount": item.amount,
        "due": item.due,
        "rail": item.rail.name if item.rail else "",
        "end_to_end": item.end_to_end,
    }


def _file_row(file: PaymentFile) -> dict[str, Any]:
    return {
        "business_date": file.business_date,
        "bank": file.bank,
        "name": file.name,
        "sha256": file.sha256,
        "payments": file.payments,
        "total": file.total,
        "content": file.content,
    }


def _of_day(table: sa.Table, day: Day) -> sa.Select[Any]:
    return sa.select(table).where(table.c.partition == WHOLE, table.c.business_date == day)


def settlement_of(connection: sa.Connection, day: Day) -> Settlement | None:
    """The record of a settled window; None where it is not settled."""
    row = connection.execute(_of_day(tables.settlements, day)).first()
    if row is None:
        return None
    return Settlement(day, UnixMs(row.closed_at), row.head, row.first_position, row.last_position)


def settlements(connection: sa.Connection) -> list[Settlement]:
    """All settled windows, oldest first."""
    table = tables.settlements
    query = sa.select(table).where(table.c.partition == WHOLE).order_by(table.c.business_date)
    return [
        Settlement(
            Day(row.business_date), UnixMs(row.closed_at), row.head, row.first_position, row.last_position
        )
        for row in connection.execute(query)
    ]


def settled_days(connection: sa.Connection, limit: int | None = None) -> list[Day]:
    """The settled business dates, newest first; all, or so many."""
    table = tables.settlements
    query = sa.select(table.c.business_date).where(table.c.partition == WHOLE)
    return [
        Day(day)
        for day in connection.execute(query.order_by(table.c.business_date.desc()).limit(limit)).scalars()
    ]


def unsettled_before(connection: sa.Connection, day: Day) -> Day | None:
    """The oldest business date before a day that has movements to settle and is not settled; openings owe nobody."""
    return next(iter(unsettled_days(connection, day)), None)


def unsettled_days(connection: sa.Connection, day: Day) -> list[Day]:
    """All of those, oldest first.

    Business dates are settled in order, so that only those after the last settled one are looked at.
    """
    journal, done = ledger_tables.transfers, tables.settlements
    last = sa.select(sa.func.max(done.c.business_date), sa.func.max(done.c.last_position))
    since, own = connection.execute(last.where(done.c.partition == WHOLE, done.c.business_date < day)).one()
    since, own = (-1, 0) if since is None else (since, own)
    query = sa.select(journal.c.business_date).where(
        journal.c.business_date > since,
        journal.c.business_date < day,
        journal.c.kind.not_in([int(kind) for kind in (Kind.OPENING, Kind.RULES, Kind.EXPIRY)]),
        sa.or_(journal.c.kind.not_in([int(kind) for kind in SETTLEMENT_KINDS]), journal.c.position > own),
    )
    found = connection.execute(query.distinct().order_by(journal.c.business_date)).scalars()
    return [Day(one) for one in found]


def nets_of(connection: sa.Connection, day: Day) -> tuple[BankNet, ...]:
    """The multilateral net of a settled window, by bank."""
    query = _of_day(tables.nets, day).order_by(tables.nets.c.bank)
    return tuple(BankNet(row.bank, Sen(row.owed), Sen(row.owes)) for row in connection.execute(query))


def days_of(connection: sa.Connection, day: Day) -> tuple[DayLine, ...]:
    """What a settled window holds, by service day and kind."""
    query = _of_day(tables.days, day).order_by(tables.days.c.service_day, tables.days.c.kind)
    return tuple(
        DayLine(Day(row.service_day), Kind(row.kind), row.transfers, Sen(row.amount))
        for row in connection.execute(query)
    )


def positions_of(connection: sa.Connection, day: Day) -> tuple[KeptPosition, ...]:
    """The positions of a settled window, in order of purpose, bank and party."""
    table = tables.positions
    query = _of_day(table, day).order_by(table.c.purpose, table.c.bank, table.c.code, table.c.number)
    return tuple(position_of_row(row) for row in connection.execute(query))


def position_of_row(row: Any) -> KeptPosition:
    """A position from its row."""
    return KeptPosition(
        Purpose(row.purpose), row.bank, Code(row.code), row.number, row.name, Sen(row.gross), Sen(row.refunds), Sen(row.fee),
        Sen(row.net),
    )  # fmt: skip


def item_of_row(row: Any) -> Item:
    """An item from its row."""
    return Item(
        window=Day(row.business_date),
        reference=row.reference,
        bank=row.bank,
        kind=ItemKind(row.kind),
        code=Code(row.code),
        party=row.party,
        name=row.name,
        amount=Sen(row.amount),
        due=Day(row.due),
        rail=Rail[row.rail] if row.rail else None,
        end_to_end=row.end_to_end,
    )


def items_of(connection: sa.Connection, day: Day) -> tuple[Item, ...]:
    """The items of a settled window, by reference."""
    query = _of_day(tables.items, day).order_by(tables.items.c.reference)
    return tuple(item_of_row(row) for row in connection.execute(query))


def payment_files_of(connection: sa.Connection, day: Day) -> tuple[PaymentFile, ...]:
    """The payment files of a settled window, by bank, with their bytes."""
    query = _of_day(tables.payment_files, day).order_by(tables.payment_files.c.bank)
    return tuple(
        PaymentFile(
            Day(row.business_date), row.bank, row.name, row.sha256, row.payments, Sen(row.total), row.content
        )
        for row in connection.execute(query)
    )
