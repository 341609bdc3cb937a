"""Bundles and blocks on each of the two databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.bundle import EVERY, Bundle, BundleKind
from keys.clock import UnixMs
from ledger.bundles import tables
from ledger.bundles.blocks import BlockedThen, Blocks
from ledger.bundles.shelf import Shelf
from ledger.intake.cards.issued import Card
from ledger.store import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = UnixMs(1_795_000_000_000)
CARD = Card(5, 9360_0009_0000_0011, registered=False, key_version=1, token_digest=bytes(32))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    with made.writing() as connection:
        tables.metadata.create_all(connection)
    yield made
    made.close()


def test_numbers_rise_one_by_one_and_what_is_next_follows_them(database: Database) -> None:
    shelf = Shelf(database)

    def made(number: int) -> list[tuple[Bundle, bytes]]:
        return [(Bundle(bytes(8), EVERY, BundleKind.TARIFF, number, 0, NOW, b""), bytes([number]))]

    assert [shelf.add(BundleKind.TARIFF, made, NOW)[0].number for _ in range(3)] == [1, 2, 3]
    found = shelf.next(BundleKind.TARIFF, "kiosk", 0, NOW)
    assert found is not None
    assert (found.number, found.data, shelf.newest("kiosk")) == (3, b"\x03", {"tariff": 3})
    assert [one.bytes for one in shelf.all()] == [1, 1, 1]


def test_a_block_covers_the_time_from_its_beginning_to_its_end(database: Database) -> None:
    blocks = Blocks(database)
    blocks.block(CARD, "lost", NOW)
    blocks.unblock(CARD, UnixMs(NOW + 10))
    blocks.block(CARD, "stolen", UnixMs(NOW + 20))
    with database.transaction() as connection:
        then = BlockedThen(connection)
    said = [
        then.said(CARD.uid, UnixMs(NOW + after)).partition("(")[2].partition(")")[0]
        for after in (-1, 0, 9, 10, 20, 99)
    ]
    assert said == ["", "lost", "lost", "", "stolen", "stolen"]
