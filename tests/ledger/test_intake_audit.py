"""The audit of the books against the cards finds each thing that somebody with the database's password could change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa

from card.layout import TapKind
from hebat.folder import Folder
from keys.identity import TerminalRole
from ledger.errors import DatabaseDamaged
from ledger.intake import tables
from ledger.intake.audit import Audited, audit
from ledger.intake.booked import NOWHERE, Booked, fingerprint
from ledger.tables import transfers
from tests.ledger.damaged import Damaged
from tests.ledger.desk import MERCHANT, Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two cards that paid fares and a sale, and a terminal that said nothing of one."""
    scene = open_scene(Folder(tmp_path_factory.mktemp("audited") / "city"), fresh=True)
    with scene.city:
        bus, shop = scene.desk(), scene.desk(2001, TerminalRole.MERCHANT, MERCHANT)
        for card in (scene.card(loaded=50_000), scene.card(loaded=20_000)):
            bus.tap(card, TapKind.FARE, 3_500)
            shop.tap(card, TapKind.SALE, 4_000)
        for desk in (shop, bus):
            assert {result["result"] for result in desk.send().results} == {"posted"}
        yield scene


def looked_at(town: Scene, change: str = "") -> Audited:
    database = town.city.ledger.database
    seen = Damaged(database, change) if change else database
    return audit(seen, town.city.registry, town.city.intake.assessor)


def copied(table: sa.Table, **other: str) -> str:
    """The statement that writes the fares of a table once more, under another name."""
    values = ", ".join(other.get(column.name, column.name) for column in table.c)
    return f"INSERT INTO {table.name} SELECT {values} FROM {table.name} WHERE kind = 1 AND tmc > 0"


def test_whole_books_are_what_cards_and_terminals_signed(town: Scene) -> None:
    assert looked_at(town) == Audited(batches=4, records=6, macs=6, taps=6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE taps SET amount = amount + 100 WHERE kind = 1", "is not in the books as its card signed it"),
        ("UPDATE taps SET balance_after = balance_after - 1 WHERE kind = 1", "as its card signed it"),
        ("UPDATE taps SET kind = 2 WHERE kind = 1", "as its card signed it"),
        ("UPDATE taps SET identity = zeroblob(32) WHERE kind = 1", "as its card signed it"),
        ("UPDATE taps SET uid = uid + 1 WHERE kind = 1", "as its card signed it"),
        ("DELETE FROM taps WHERE kind = 1", "as its card signed it"),
        (copied(tables.taps, tmc="tmc + 40"), "has no batch"),
        ("UPDATE transfers SET amount = amount + 1 WHERE kind = 1 AND tmc > 0", "the transfers are not what the card signed"),
        ("UPDATE transfers SET uid = uid + 1 WHERE kind = 1 AND tmc > 0", "the transfers are not what the card signed"),
        (copied(transfers, position="position + 900", uid="uid + 1"), "2 transfers of card transactions have no tap"),
        ("UPDATE batches SET last_sequence = last_sequence, digest = zeroblob(32)", "is not what was received"),
        ("UPDATE batches SET ordinal = ordinal + 9", "is not what was received"),
    ],
)  # fmt: skip
def test_a_change_behind_the_ledgers_back_is_found_and_named(town: Scene, change: str, said: str) -> None:
    with pytest.raises(DatabaseDamaged, match=said):
        looked_at(town, change)
    looked_at(town)


def test_every_tap_has_a_place_and_nothing_else_has_one() -> None:
    dice = np.random.default_rng(7)
    names = sorted(
        {
            (int(uid), int(tmc))
            for uid, tmc in zip(dice.integers(1, 9, 60), dice.integers(0, 9, 60), strict=True)
        }
    )
    there = names[::2]
    books = _booked([*reversed(there)])
    for name in names:
        assert (books.place(*name) != NOWHERE) == (name in there)
    assert len({books.place(*name) for name in there}) == len(there) == len(books)
    assert _booked([]).place(1, 1) == NOWHERE


def test_an_audit_needs_few_bytes_a_tap_however_many_there_are() -> None:
    books = _booked([(uid, tmc) for uid in range(1, 11) for tmc in range(100)])
    assert len(books) == 1_000
    assert sum(column.nbytes for column in vars(books).values()) == 1_000 * 41 + 10 * 8


@pytest.mark.parametrize("other", [(b"a", 1, 2, 4), (b"a", 1, 3, 3), (b"a", 2, 2, 3), (b"b", 1, 2, 3)])
def test_what_a_tap_says_has_a_fingerprint_of_its_own(other: tuple[bytes, int, int, int]) -> None:
    assert fingerprint(b"a", 1, 2, 3) == fingerprint(b"a", 1, 2, 3)
    assert fingerprint(*other) != fingerprint(b"a", 1, 2, 3)


def _booked(names: list[tuple[int, int]]) -> Booked:
    """Taps of these (UID, TMC) in a table of their own."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        tables.taps.create(connection)
        rest = {
            column.name: b"" if isinstance(column.type, sa.LargeBinary) else 0 for column in tables.taps.c
        }
        if names:
            connection.execute(
                sa.insert(tables.taps), [rest | {"uid": uid, "tmc": tmc} for uid, tmc in names]
            )
        return Booked(connection)
