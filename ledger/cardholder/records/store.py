"""Reading and writing disputes, personal data and replaced cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.cmac import BLOCK
from ledger.cardholder import tables
from ledger.chart import PARTITIONS
from ledger.intake.tables import cards
from ledger.schema import columns_of, values_of

if TYPE_CHECKING:
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection

DIGEST_BYTES: Final = 32
_NEVER = UnixMs(0)


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute; `words` sealed."""

    partition: int
    digest: bytes
    uid: int
    tmc: int
    reason: str
    words: bytes
    opened_at: UnixMs
    due: Day
    state: str
    answer: str = ""
    answered_by: str = ""
    answered_at: UnixMs = _NEVER


@dataclass(frozen=True, slots=True)
class HolderRow:
    """Who holds a card, sealed; b"" once it was erased."""

    partition: int
    uid: int
    sealed: bytes
    purposes: str
    consented_at: UnixMs
    erased_at: UnixMs


@dataclass(frozen=True, slots=True)
class ReplacementRow:
    """A lost card and the card in its place; what was moved, in sen."""

    partition: int
    uid: int
    replaced_by: int
    noted_at: UnixMs
    purse: int
    wallet: int
    moved_at: UnixMs


def add_dispute(connection: Connection, row: DisputeRow) -> None:
    """Take a dispute in."""
    connection.execute(sa.insert(tables.disputes), values_of(row))


def _disputes(
    connection: Connection, *where: sa.ColumnElement[bool], most: int | None = None
) -> list[DisputeRow]:
    table = tables.disputes
    query = sa.select(*columns_of(table, DisputeRow)).where(*where).limit(most)
    found = []
    for row in connection.execute(query.order_by(table.c.due, table.c.opened_at, table.c.digest)):
        values = list(row)
        values[1], values[5] = bytes(values[1]), bytes(values[5])
        found.append(DisputeRow(*values))
    return found


def dispute_at(connection: Connection, partition: int, digest: bytes) -> DisputeRow | None:
    """A dispute by its number's digest."""
    table = tables.disputes
    found = _disputes(connection, table.c.partition == partition, table.c.digest == digest)
    return found[0] if found else None


def disputes_under(connection: Connection, prefix: str) -> list[DisputeRow]:
    """Disputes whose digest begins with a prefix (hex), by the key's index: one look a partition, however many disputes there are."""
    table, whole = tables.disputes, DIGEST_BYTES * 2
    first, last = bytes.fromhex(prefix.ljust(whole, "0")), bytes.fromhex(prefix.ljust(whole, "f"))
    return _disputes(
        connection, table.c.partition.in_(range(PARTITIONS)), table.c.digest.between(first, last)
    )


def disputes_of(connection: Connection, partition: int, uid: int) -> list[DisputeRow]:
    """A card's disputes, newest first."""
    table = tables.disputes
    found = _disputes(connection, table.c.partition == partition, table.c.uid == uid)
    return sorted(found, key=lambda row: -row.opened_at)


def all_disputes(connection: Connection, state: str) -> list[DisputeRow]:
    """All disputes, or those of a state, by when they are due."""
    return _disputes(connection, *([tables.disputes.c.state == state] if state else []))


def answer(connection: Connection, row: DisputeRow, state: str, text: str, who: str, at: UnixMs) -> bool:
    """Answer an open dispute; False where it is open no more."""
    table = tables.disputes
    mine = (table.c.partition == row.partition, table.c.digest == row.digest, table.c.answered_at == 0)
    said = {"state": state, "answer": text, "answered_by": who[:64], "answered_at": at}
    return connection.execute(sa.update(table).where(*mine).values(said)).rowcount == 1


def holder_of(connection: Connection, partition: int, uid: int) -> HolderRow | None:
    """Who holds a card; None where nobody ever said."""
    table = tables.holders
    query = sa.select(*columns_of(table, HolderRow)).where(table.c.partition == partition, table.c.uid == uid)
    row = connection.execute(query).first()
    return None if row is None else HolderRow(row[0], row[1], bytes(row[2]), *row[3:])


def holders_since(connection: Connection, before: UnixMs) -> list[tuple[int, UnixMs]]:
    """The UIDs of cards whose holders are kept and agreed to it before a moment, and when they did."""
    table = tables.holders
    query = sa.select(table.c.uid, table.c.consented_at).where(
        table.c.sealed != b"", table.c.consented_at < before
    )
    found = connection.execute(query.order_by(table.c.partition, table.c.uid))
    return [(row.uid, UnixMs(row.consented_at)) for row in found]


def sealed_otherwise(sealed: sa.Column[bytes], form: int) -> sa.ColumnElement[bool]:
    """Sealed, and in another form than this one: see `sealing.form_of`."""
    size, first = sa.func.length(sealed), sa.func.substr(sealed, 1, 1)
    return sa.and_(size > 0, sa.or_(size % BLOCK == 0, first != sa.literal(bytes((form,)), sa.LargeBinary)))


def holders_sealed_otherwise(connection: Connection, form: int, most: int) -> list[HolderRow]:
    """Holders whose data is sealed in another form than this one."""
    table = tables.holders
    query = sa.select(*columns_of(table, HolderRow)).where(sealed_otherwise(table.c.sealed, form))
    found = connection.execute(query.order_by(table.c.partition, table.c.uid).limit(most))
    return [HolderRow(row[0], row[1], bytes(row[2]), *row[3:]) for row in found]


def disputes_sealed_otherwise(connection: Connection, form: int, most: int) -> list[DisputeRow]:
    """Disputes whose words are sealed in another form than this one."""
    return _disputes(connection, sealed_otherwise(tables.disputes.c.words, form), most=most)


def keep_words(connection: Connection, row: DisputeRow, words: bytes) -> None:
    """Keep a dispute's words in another form, where they are still what they were."""
    table = tables.disputes
    mine = (table.c.partition == row.partition, table.c.digest == row.digest, table.c.words == row.words)
    connection.execute(sa.update(table).where(*mine).values(words=words))


def put_holder(connection: Connection, row: HolderRow) -> None:
    """Note who holds a card, in place of what was noted before."""
    table = tables.holders
    connection.execute(sa.delete(table).where(table.c.partition == row.partition, table.c.uid == row.uid))
    connection.execute(sa.insert(table), values_of(row))


def set_registered(connection: Connection, card: Card, *, registered: bool) -> None:
    """Whether the bank knows who holds a card."""
    mine = (cards.c.partition == card.partition, cards.c.uid == card.uid)
    connection.execute(sa.update(cards).where(*mine).values(registered=int(registered)))


def replacement_of(connection: Connection, partition: int, uid: int) -> ReplacementRow | None:
    """What took a card's place; None for nothing."""
    table = tables.replacements
    query = sa.select(*columns_of(table, ReplacementRow)).where(
        table.c.partition == partition, table.c.uid == uid
    )
    row = connection.execute(query).first()
    return None if row is None else ReplacementRow(*row)


def replaced_by(connection: Connection, partition: int, card_number: int) -> list[int]:
    """The numbers of the lost cards whose place a card took."""
    table = tables.replacements
    its = sa.select(cards.c.uid).where(cards.c.partition == partition, cards.c.card_number == card_number)
    uids = connection.execute(its).scalars().all()
    lost = connection.execute(
        sa.select(table.c.partition, table.c.uid).where(table.c.replaced_by.in_(uids))
    ).all()
    named = (
        sa.select(cards.c.card_number).where(cards.c.partition == row.partition, cards.c.uid == row.uid)
        for row in lost
    )
    return [number for query in named for number in connection.execute(query).scalars()]


def add_replacement(connection: Connection, row: ReplacementRow) -> None:
    """Note what took a card's place."""
    connection.execute(sa.insert(tables.replacements), values_of(row))
