"""Payments, external ids and notifications in the database; writing functions take the connection of a unit of the ledger's writer."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from keys.money import Sen
from ledger.chart import AccountId
from ledger.tables import transfers
from ledger.transfer import Flag, Kind
from settlement.banks.payment import OPEN, Payment, Record, State
from settlement.banks.tables import notifications, payments, sequences
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from ledger.store import Connection

WHOLE: Final = 0
_PAYMENT: Final = tuple(one.name for one in fields(Payment))
_PROGRESS: Final = tuple(one.name for one in fields(Record) if one.name != "payment")


def find(connection: Connection, reference: str) -> Record | None:
    """A payment by our reference; None where there is none."""
    query = sa.select(payments).where(payments.c.partition == WHOLE, payments.c.reference == reference)
    row = connection.execute(query).one_or_none()
    return None if row is None else _record(row)


def open_payments(connection: Connection, count: int) -> list[Record]:
    """Payments that something is still to be done about, oldest first."""
    query = (
        sa.select(payments)
        .where(payments.c.partition == WHOLE, payments.c.state.in_([state.value for state in OPEN]))
        .order_by(payments.c.created_at, payments.c.reference)
        .limit(count)
    )
    return [_record(row) for row in connection.execute(query)]


def all_payments(connection: Connection, bank: str | None = None) -> list[Record]:
    """All payments, or one bank's, oldest first."""
    query = sa.select(payments).where(payments.c.partition == WHOLE)
    if bank is not None:
        query = query.where(payments.c.bank == bank)
    return [
        _record(row)
        for row in connection.execute(query.order_by(payments.c.created_at, payments.c.reference))
    ]


def beginning(connection: Connection, prefix: str) -> list[Record]:
    """Payments whose reference begins so, newest first."""
    mine = payments.c.reference.between(prefix, prefix + "\x7f")
    query = sa.select(payments).where(payments.c.partition == WHOLE, mine)
    newest_first = query.order_by(payments.c.created_at.desc(), payments.c.reference)
    return [_record(row) for row in connection.execute(newest_first)]


def posted_in(connection: Connection, day: Day) -> list[Record]:
    """Payments that are done and whose money was posted in a business date, by reference."""
    done = transfers.c.flags.bitwise_and(int(Flag.POST_PENDING)) != 0
    mine = sa.select(transfers.c.hold).where(transfers.c.business_date == day, done)
    query = sa.select(payments).where(payments.c.partition == WHOLE, payments.c.state == State.DONE.value)
    found = connection.execute(query.where(payments.c.hold.in_(mine)).order_by(payments.c.reference))
    return [_record(row) for row in found]


class Noticed(NamedTuple):
    """A payment into a virtual account as it was posted."""

    request: str
    position: int
    debit: AccountId
    credit: AccountId
    amount: Sen


def noticed_in(connection: Connection, day: Day) -> list[Noticed]:
    """Payments into virtual accounts that were posted in a business date, in order."""
    query = (
        sa.select(notifications.c.request, transfers.c.position, transfers.c.debit, transfers.c.credit, transfers.c.amount)
        .select_from(notifications.join(transfers, transfers.c.position == notifications.c.position))
        .where(notifications.c.partition == WHOLE, transfers.c.business_date == day)
        .order_by(transfers.c.position)
    )  # fmt: skip
    return [Noticed(*row) for row in connection.execute(query)]


def insert(connection: Connection, record: Record) -> None:
    """Keep a new payment."""
    connection.execute(sa.insert(payments), {"partition": WHOLE, **_values(record)})


def update(connection: Connection, record: Record) -> None:
    """Keep how far a payment is now."""
    values = {name: value for name, value in _values(record).items() if name in _PROGRESS}
    key = (payments.c.partition == WHOLE, payments.c.reference == record.payment.reference)
    connection.execute(sa.update(payments).where(*key).values(**values))


def take_numbers(connection: Connection, bank: str, day: Day, count: int) -> int:
    """Take so many numbers of a bank's day; the first of them, from 1. They are never given again."""
    key = (sequences.c.partition == WHOLE, sequences.c.bank == bank, sequences.c.day == day)
    taken = connection.execute(sa.select(sequences.c.taken).where(*key)).scalar()
    if taken is None:
        connection.execute(
            sa.insert(sequences), {"partition": WHOLE, "bank": bank, "day": day, "taken": count}
        )
        return 1
    connection.execute(sa.update(sequences).where(*key).values(taken=taken + count))
    return int(taken) + 1


class Notified(NamedTuple):
    """What a bank told: its own id of the request, the call's external id and day, the money, and where it stands in the journal (0: refused)."""

    bank: str
    request: str
    external_id: str
    day: Day
    received_at: UnixMs
    amount: Sen
    account: str
    position: int
    body: bytes


def notified(connection: Connection, bank: str, request: str) -> Notified | None:
    """What a bank told under an id of its own."""
    table = notifications
    query = sa.select(*(table.c[name] for name in Notified._fields)).where(
        table.c.partition == WHOLE, table.c.bank == bank, table.c.request == request
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Notified(*row)


def is_replay(connection: Connection, bank: str, day: Day, external_id: str) -> bool:
    """True where a bank's call with this external id was taken in on this day."""
    table = notifications
    key = (
        table.c.partition == WHOLE,
        table.c.bank == bank,
        table.c.day == day,
        table.c.external_id == external_id,
    )
    return connection.execute(sa.select(table.c.request).where(*key)).first() is not None


def keep_notified(connection: Connection, told: Notified) -> None:
    """Keep what a bank told."""
    connection.execute(sa.insert(notifications), {"partition": WHOLE, **told._asdict()})


def _values(record: Record) -> dict[str, Any]:
    values = {name: getattr(record.payment, name) for name in _PAYMENT}
    values |= {name: getattr(record, name) for name in _PROGRESS}
    return {
        **values,
        "service": int(record.payment.service),
        "kind": int(record.payment.kind),
        "state": record.state.value,
    }


def _record(row: Any) -> Record:
    told = row._asdict()
    payment = Payment(
        **{name: told[name] for name in _PAYMENT if name not in {"service", "amount", "debit", "credit", "kind"}},
        service=Service(told["service"]), amount=Sen(told["amount"]), debit=AccountId(told["debit"]),
        credit=AccountId(told["credit"]), kind=Kind(told["kind"]),
    )  # fmt: skip
    progress = {name: told[name] for name in _PROGRESS if name != "state"}
    return Record(payment, State(told["state"]), **progress)
