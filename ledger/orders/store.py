"""Reading and writing the answers that keys stand for, and what was given back of payments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from keys.clock import UnixMs
from ledger import plain
from ledger.orders.tables import order_answers, refunds
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.bulk.store import Columns
    from ledger.store import Connection


class AnswerRow(NamedTuple):
    """What was said to a client's key."""

    client: str
    key: str
    fingerprint: bytes
    received_at: UnixMs
    status: int
    body: bytes


_SELECT: Final = f"SELECT {','.join(AnswerRow._fields)} FROM order_answers WHERE partition = {WHOLE} AND"  # noqa: S608  our own names


def find_answers(
    connection: Connection, names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], AnswerRow]:
    """What was said to these (client, key), however long ago.

    Asked once a commit, by the driver itself: the statement is the same one however many there are, and is compiled once. It finds
    by clients and keys apart, a superset of the pairs, which both databases look up by the primary key.
    """
    clients, keys = sorted({client for client, _ in names}), sorted({key for _, key in names})
    values: tuple[Any, ...]
    if connection.dialect.name == "postgresql":
        query, values = f"{_SELECT} client = ANY(%s) AND key = ANY(%s)", (clients, keys)
    else:
        inside = "IN (SELECT value FROM json_each(?))"
        query, values = f"{_SELECT} client {inside} AND key {inside}", (json.dumps(clients), json.dumps(keys))
    found = plain.asked(connection, query, values)
    if not found:
        return {}
    wanted = set(names)
    rows = [
        AnswerRow(client, key, bytes(fingerprint), UnixMs(at), status, bytes(body))
        for client, key, fingerprint, at, status, body in found
    ]
    return {row[:2]: row for row in rows if row[:2] in wanted}


def columns_of(rows: Sequence[AnswerRow]) -> Columns:
    """Answers as columns of their table."""
    fields = zip(*rows, strict=True)
    return {"partition": WHOLE, **dict(zip(AnswerRow._fields, map(list, fields), strict=True))}


def forget_answers(connection: Connection, before: UnixMs, count: int) -> int:
    """Forget at most so many of the answers from before a moment, the oldest first; how many."""
    table = order_answers
    query = (
        sa.select(table.c.client, table.c.key)
        .where(table.c.partition == WHOLE, table.c.received_at < before)
        .order_by(table.c.received_at)
        .limit(count)
    )
    old = connection.execute(query).all()
    forget_these(connection, [(client, key) for client, key in old])
    return len(old)


def forget_these(connection: Connection, names: Sequence[tuple[str, str]]) -> None:
    """Forget what was said to these (client, key)."""
    table = order_answers
    if names:
        named = sa.tuple_(table.c.client, table.c.key).in_(names)
        connection.execute(sa.delete(table).where(table.c.partition == WHOLE, named))


def count_answers(connection: Connection) -> int:
    """How many answers are kept."""
    query = sa.select(sa.func.count()).select_from(order_answers).where(order_answers.c.partition == WHOLE)
    return connection.execute(query).scalar_one()


def given_back(connection: Connection, partition: int, payment: int) -> int:
    """What the refunds of a payment came to, in sen."""
    mine = (refunds.c.partition == partition, refunds.c.payment == payment)
    query = sa.select(sa.func.coalesce(sa.func.sum(refunds.c.amount), 0)).where(*mine)
    return int(connection.execute(query).scalar_one())


def payments_of(connection: Connection, positions: Sequence[int]) -> dict[int, int]:
    """By the position of a refund, that of the payment it gives back."""
    query = sa.select(refunds.c.position, refunds.c.payment).where(refunds.c.position.in_(positions))
    return {row.position: row.payment for row in connection.execute(query)}


class RefundRow(NamedTuple):
    """What a refund gives back: both by position in the journal, in the partition of the payment, in sen."""

    partition: int
    payment: int
    position: int
    amount: int


def all_refunds(connection: Connection, until: int) -> list[RefundRow]:
    """Every refund up to a position, payment by payment, each payment's in their order."""
    columns = [refunds.c[name] for name in RefundRow._fields]
    query = sa.select(*columns).where(refunds.c.position <= until).order_by(*columns)
    return [RefundRow(*row) for row in connection.execute(query)]
