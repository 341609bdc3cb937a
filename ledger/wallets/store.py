"""Wallets' tables, read and written; writing functions take the connection of a unit of the ledger's writer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import UnixMs
from keys.money import Sen
from ledger.chart import PARTITIONS, AccountId, split
from ledger.schema import values_of
from ledger.transfer import Result
from ledger.wallets.tables import arrivals, bills, bulk, orders, transfers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Connection

WHOLE = 0


class State(StrEnum):
    """How far a transfer between two partitions is."""

    HELD = "held"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Sent:
    """A transfer between wallets: its reference, both sides, and what became of it. `hold` is 0 within one partition."""

    reference: str
    debit: AccountId
    credit: AccountId
    amount: Sen
    state: State
    result: Result = Result.POSTED
    hold: int = 0
    changed_at: UnixMs = UnixMs(0)  # noqa: RUF009  a number

    @property
    def asked(self) -> tuple[AccountId, AccountId, Sen]:
        """What was asked for."""
        return self.debit, self.credit, self.amount


@dataclass(frozen=True, slots=True)
class Placed:
    """A transfer that was ordered: its hold is its number, `client` is who ordered it."""

    hold: int
    client: str
    debit: AccountId
    credit: AccountId
    amount: Sen
    expires_at: UnixMs


def insert_order(connection: Connection, one: Placed) -> None:
    """Keep an order."""
    values = values_of(one)
    connection.execute(sa.insert(orders), {"partition": split(one.debit).partition, **values})


def order_of(connection: Connection, hold: int) -> Placed | None:
    """An order by its number."""
    row = connection.execute(sa.select(orders).where(orders.c.hold == hold)).one_or_none()
    return None if row is None else Placed(
        row.hold, row.client, AccountId(row.debit), AccountId(row.credit), Sen(row.amount), UnixMs(row.expires_at)
    )  # fmt: skip


def find(connection: Connection, debit: AccountId, reference: str) -> Sent | None:
    """A transfer by the wallet that it left and its reference."""
    query = sa.select(transfers).where(
        transfers.c.partition == split(debit).partition, transfers.c.reference == reference
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _sent(row)


def held(connection: Connection, count: int) -> list[Sent]:
    """Transfers that are on their way."""
    query = sa.select(transfers).where(transfers.c.state == State.HELD.value).limit(count)
    return [_sent(row) for row in connection.execute(query)]


def insert(connection: Connection, sent: Sent) -> None:
    """Keep a new transfer."""
    values = {
        "partition": split(sent.debit).partition, "reference": sent.reference, "debit": sent.debit, "credit": sent.credit,
        "amount": sent.amount, "state": sent.state.value, "result": int(sent.result), "hold": sent.hold,
        "changed_at": sent.changed_at,
    }  # fmt: skip
    connection.execute(sa.insert(transfers), values)


def end(connection: Connection, sent: Sent, state: State, result: Result, at: UnixMs) -> None:
    """Note what became of a transfer."""
    key = (transfers.c.partition == split(sent.debit).partition, transfers.c.reference == sent.reference)
    told = {"state": state.value, "result": int(result), "changed_at": at}
    connection.execute(sa.update(transfers).where(*key).values(**told))


def arrival(connection: Connection, sent: Sent) -> Result | None:
    """What the receiving side decided; None where it has not yet."""
    query = sa.select(arrivals.c.result).where(*_arrival(sent))
    found = connection.execute(query).scalar()
    return None if found is None else Result(found)


def keep_arrival(connection: Connection, sent: Sent, result: Result, position: int) -> None:
    """Note what the receiving side decided: for good."""
    values = {
        "partition": split(sent.credit).partition, "reference": sent.reference, "source": split(sent.debit).partition,
        "result": int(result), "position": position,
    }  # fmt: skip
    connection.execute(sa.insert(arrivals), values)


def _arrival(sent: Sent) -> tuple[Any, ...]:
    return (
        arrivals.c.partition == split(sent.credit).partition,
        arrivals.c.reference == sent.reference,
        arrivals.c.source == split(sent.debit).partition,
    )


def paid_of(connection: Connection, codes: Sequence[bytes]) -> frozenset[bytes]:
    """Which of some dynamic codes (their digests) were paid."""
    places = {place_of(code) for code in codes}
    query = sa.select(bills.c.code).where(bills.c.partition.in_(places), bills.c.code.in_(codes))
    return frozenset(bytes(code) for (code,) in connection.execute(query))


def place_of(code: bytes) -> int:
    """The partition in which it is noted that a code was paid: no wallet's, for anybody may pay it."""
    return code[0] % PARTITIONS


def keep_paid(connection: Connection, code: bytes, debit: AccountId, position: int) -> None:
    """Note that a dynamic code was paid: nobody pays it again."""
    values = {"partition": place_of(code), "code": code, "debit": debit, "position": position}
    connection.execute(sa.insert(bills), values)


def part_results(connection: Connection, file: bytes, part: int) -> bytes | None:
    """What became of a part of a file, a byte a line (`Result`); None where it was not posted yet."""
    key = (bulk.c.partition == WHOLE, bulk.c.file == file, bulk.c.part == part)
    found = connection.execute(sa.select(bulk.c.results).where(*key)).scalar()
    return None if found is None else bytes(found)


def keep_part(connection: Connection, file: bytes, part: int, results: bytes) -> None:
    """Keep what became of a part, with its money."""
    connection.execute(sa.insert(bulk), {"partition": WHOLE, "file": file, "part": part, "results": results})


def _sent(row: Any) -> Sent:
    return Sent(
        row.reference, AccountId(row.debit), AccountId(row.credit), Sen(row.amount), State(row.state), Result(row.result),
        row.hold, UnixMs(row.changed_at),
    )  # fmt: skip
