"""Reading and writing issued cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from ledger.chart import PARTITIONS
from ledger.intake import tables
from ledger.intake.cards.issued import Card

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def insert_cards(connection: sa.Connection, cards: Sequence[Card]) -> None:
    """Take issued cards in."""
    rows = [
        {
            "partition": card.partition, "uid": card.uid, "card_number": card.card_number,
            "registered": int(card.registered), "key_version": card.key_version, "token_digest": card.token_digest,
            "key_versions": card.versions.hex(), "coming_versions": card.coming.hex(),
        }
        for card in cards
    ]  # fmt: skip
    connection.execute(sa.insert(tables.cards), rows)


def read_cards(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> Iterator[Card]:
    """All cards, or those of which something holds."""
    names = ("uid", "card_number", "registered", "key_version", "token_digest", "key_versions", "coming_versions")  # fmt: skip
    for row in connection.execute(sa.select(*[tables.cards.c[name] for name in names]).where(*where)):
        held = bytes.fromhex(row.key_versions), bytes.fromhex(row.coming_versions)
        yield Card(row.uid, row.card_number, bool(row.registered), row.key_version, bytes(row.token_digest), *held)  # fmt: skip


def count_cards(connection: sa.Connection) -> int:
    """How many cards were issued; none is ever taken out."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(tables.cards)).scalar_one())


def card_of(connection: sa.Connection, uid: int) -> Card | None:
    """A card by UID: one look a partition, for the UID does not say which."""
    table = tables.cards
    return next(read_cards(connection, table.c.partition.in_(range(PARTITIONS)), table.c.uid == uid), None)


def card_numbered(connection: sa.Connection, partition: int, number: int) -> Card | None:
    """A card by its number, among those of its partition."""
    table = tables.cards
    return next(read_cards(connection, table.c.partition == partition, table.c.card_number == number), None)


def set_versions(connection: sa.Connection, partition: int, uid: int, versions: bytes, coming: bytes) -> None:
    """Which versions a card's keys have, and which they are about to have."""
    table = tables.cards
    one = sa.and_(table.c.partition == partition, table.c.uid == uid)
    connection.execute(
        sa.update(table).where(one).values(key_versions=versions.hex(), coming_versions=coming.hex())
    )
