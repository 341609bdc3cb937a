"""Reading and writing the cardholder's tables, and what the page reads of others'."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger.bundles.tables import card_blocks
from ledger.cardholder import tables
from ledger.chart import PARTITIONS
from ledger.intake.tables import taps
from ledger.journeys.tables import fare_corrections
from ledger.schema import columns_of, values_of

if TYPE_CHECKING:
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection

CODES_SWEPT: Final = 50
"""Codes of screens that are out of date, forgotten with each one that is used."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A printed token's digest."""

    digest: bytes
    uid: int
    issued_at: UnixMs
    revoked_at: UnixMs


@dataclass(frozen=True, slots=True)
class PinRow:
    """A card's PIN, hashed; wrong ones in a row, and until when it rests."""

    partition: int
    uid: int
    hash: str
    made_at: UnixMs
    failures: int
    locked_until: int


def _of_digest(digest: bytes) -> int:
    """The partition of what is found by a digest."""
    return digest[0] % PARTITIONS


def token_of(connection: Connection, digest: bytes) -> TokenRow | None:
    """A token by its digest; None for one that was never printed later, nor revoked."""
    table = tables.page_tokens
    query = sa.select(table.c.digest, table.c.uid, table.c.issued_at, table.c.revoked_at).where(
        table.c.partition == _of_digest(digest), table.c.digest == digest
    )
    row = connection.execute(query).first()
    return None if row is None else TokenRow(bytes(row[0]), row[1], UnixMs(row[2]), UnixMs(row[3]))


def add_token(connection: Connection, row: TokenRow) -> None:
    """Take a token in."""
    values = {
        "partition": _of_digest(row.digest), "digest": row.digest, "uid": row.uid, "issued_at": row.issued_at,
        "revoked_at": row.revoked_at,
    }  # fmt: skip
    connection.execute(sa.insert(tables.page_tokens), values)


def revoke_tokens(connection: Connection, card: Card, at: UnixMs) -> None:
    """Revoke all of a card's tokens; the one that it was issued with is noted as revoked."""
    table = tables.page_tokens
    connection.execute(
        sa.update(table).where(table.c.uid == card.uid, table.c.revoked_at == 0).values(revoked_at=at)
    )
    if token_of(connection, card.token_digest) is None:
        add_token(connection, TokenRow(card.token_digest, card.uid, at, at))


def _of_card(table: sa.Table, partition: int, uid: int) -> list[sa.ColumnElement[bool]]:
    return [table.c.partition == partition, table.c.uid == uid]


def pin_of(connection: Connection, partition: int, uid: int) -> PinRow | None:
    """A card's PIN; None where it has none."""
    table = tables.card_pins
    query = sa.select(*columns_of(table, PinRow)).where(*_of_card(table, partition, uid))
    row = connection.execute(query).first()
    return None if row is None else PinRow(*row)


def put_pin(connection: Connection, row: PinRow) -> None:
    """Give a card a PIN."""
    table = tables.card_pins
    connection.execute(sa.delete(table).where(*_of_card(table, row.partition, row.uid)))
    connection.execute(sa.insert(table), values_of(row))


def count_failure(connection: Connection, partition: int, uid: int, failures: int, until: int) -> None:
    """So many wrong PINs in a row, and a rest until then."""
    table = tables.card_pins
    query = sa.update(table).where(*_of_card(table, partition, uid))
    connection.execute(query.values(failures=failures, locked_until=until))


def clear_failures(connection: Connection, row: PinRow, hashed: str) -> None:
    """The PIN was right, and is kept under this hash from now on, unless the card has another PIN by now."""
    table = tables.card_pins
    count_failure(connection, row.partition, row.uid, 0, 0)
    mine = (*_of_card(table, row.partition, row.uid), table.c.hash == row.hash)
    if hashed != row.hash:
        connection.execute(sa.update(table).where(*mine).values(hash=hashed))


def raise_counter(connection: Connection, partition: int, uid: int, counter: int, at: UnixMs) -> bool:
    """Take a phone tap's counter in; False where the card has shown it, or a higher one, before."""
    table = tables.phone_taps
    known = connection.execute(sa.select(table.c.counter).where(*_of_card(table, partition, uid))).scalar()
    if known is not None and counter <= known:
        return False
    values = {"partition": partition, "uid": uid, "counter": counter, "seen_at": at}
    if known is None:
        connection.execute(sa.insert(table), values)
    else:
        connection.execute(sa.update(table).where(*_of_card(table, partition, uid)).values(values))
    return True


def use_code(connection: Connection, digest: bytes, ends: UnixMs, now: UnixMs) -> bool:
    """Use a screen's code; False where it was used. Some that are out of date are forgotten."""
    table, partition = tables.screen_codes, _of_digest(digest)
    over = sa.select(table.c.digest).where(table.c.partition == partition, table.c.expires_at < now)
    late = [bytes(one) for (one,) in connection.execute(over.limit(CODES_SWEPT))]
    if late:
        connection.execute(sa.delete(table).where(table.c.partition == partition, table.c.digest.in_(late)))
    mine = sa.select(table.c.digest).where(table.c.partition == partition, table.c.digest == digest)
    if connection.execute(mine).first() is not None:
        return False
    connection.execute(sa.insert(table), {"partition": partition, "digest": digest, "expires_at": ends})
    return True


def spent_by_day(connection: Connection, partition: int, uid: int, since: Day) -> list[tuple[int, int]]:
    """What a card paid by service day since a day: (day, sen)."""
    table = taps
    query = (
        sa.select(table.c.service_day, sa.func.sum(-table.c.amount))
        .where(*_of_card(table, partition, uid), table.c.service_day >= since, table.c.amount < 0)
        .group_by(table.c.service_day)
    )
    return [(day, int(paid)) for day, paid in connection.execute(query)]


def mark_of(connection: Connection, partition: int, uid: int) -> tuple[int, ...]:
    """How many taps, corrections and blocks there are of a card, and the sum of when blocks ended: another mark wherever one of them changed."""
    return tuple(connection.execute(_mark(), {"partition": partition, "uid": uid}).one())


@cache
def _mark() -> sa.Select[int, int, int, int]:
    """The query, built once."""

    def of(table: sa.Table, what: sa.ColumnElement[int]) -> sa.ScalarSelect[int]:
        mine = (table.c.partition == sa.bindparam("partition"), table.c.uid == sa.bindparam("uid"))
        return sa.select(sa.func.coalesce(what, 0)).where(*mine).scalar_subquery()

    count, ended = sa.func.count(), sa.func.sum(card_blocks.c.unblocked_at)
    return sa.select(
        of(taps, count), of(fare_corrections, count), of(card_blocks, count), of(card_blocks, ended)
    )


def corrected(connection: Connection, partition: int, uid: int, since_tmc: int) -> dict[int, int]:
    """What fares were corrected by, in sen, by the tap's counter: the correction that holds."""
    table = fare_corrections
    query = (
        sa.select(table.c.tmc, table.c.amount)
        .where(*_of_card(table, partition, uid), table.c.tmc >= since_tmc)
        .order_by(table.c.tmc, table.c.ordinal)
    )
    return {tmc: amount for tmc, amount in connection.execute(query) if amount}
