"""Cards are made while a server runs: with the newest keys, known to it at once, and no number twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2

from card.layout import card_number
from card.personalise import made_with
from card.virtual import VirtualCard
from hebat.application import application
from hebat.cards import making
from hebat.cards.desk import open_desk
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.vault import KeyName, Purpose, Role
from ledger.intake.cards import store
from tests.hebat.card_desk import UID, one_sentence, opened, value_of, vault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from ledger.intake.cards.issued import Card
    from tests.hebat.card_desk import Desk, Ran

pytest_plugins = ["tests.hebat.card_desk_fixtures"]


def test_a_card_that_is_made_beside_a_server_has_the_newest_keys_its_page_and_value_at_once(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    desk.cards = [VirtualCard(UID)]
    assert hebat("personalise", "--data", folder).code == 0
    assert hebat("load", "10000", "--data", folder).code == 0  # which enrols the counter
    with opened(folder) as city, LoopbackServer(application(city)) as server:
        for role in Role:
            vault_of(folder).generate_key(KeyName(role.value, 2), Purpose.CARD)
        fresh = VirtualCard(UID[:-1] + b"\x77")
        desk.cards = [fresh]
        told = hebat("personalise", "--data", folder, "--json").json
        assert made_with(fresh) == (2, bytes((2,)) * 7)
        fresh.leave_field()
        page = httpx2.get(f"{server.address}{told['balance_page']}", timeout=60)
        assert page.status_code == 200
        assert hebat("load", "50000", "--data", folder, "--address", server.address).code == 0
        assert value_of(fresh) == 50_000
        known = city.registry.card(int.from_bytes(fresh.uid, "big"))
        assert known is not None
        assert known == city.registry.card_numbered(told["card_number"])
        assert (known.key_version, known.versions) == (2, bytes((2,)) * 7)
        assert "issued already" in one_sentence(hebat("personalise", "--data", folder))
    with opened(folder) as city:  # and after a restart
        assert city.registry.card(known.uid) == known
        assert city.cardholders.tokens.card(told["balance_page"].removeprefix("/c/")) == known


def test_a_card_by_number_is_found_although_another_process_made_it(folder: Path) -> None:
    with opened(folder) as city:
        with open_desk(Folder(folder)) as desk:
            made = making.make(VirtualCard(UID), desk, making.Wanted())
        found = city.registry.card_numbered(made.identity.card_number)
        assert found is not None
        assert found.uid == int.from_bytes(UID, "big")
        assert city.registry.card_numbered(card_number(9, 2)) is None
        assert city.registry.card(7) is None


def test_two_desks_and_a_server_give_no_number_twice(folder: Path) -> None:
    def make(first: int) -> list[int]:
        with open_desk(Folder(folder)) as desk:
            chips = [VirtualCard(UID[:-2] + bytes((first, at))) for at in range(6)]
            return [making.make(chip, desk, making.Wanted()).identity.card_number for chip in chips]

    with opened(folder) as city, ThreadPoolExecutor(2) as pool:
        numbers = [number for made in pool.map(make, (1, 2)) for number in made]
        assert sorted(numbers) == [card_number(9, serial) for serial in range(1, 13)]
        city.registry.catch_up()
        assert {card.card_number for card in city.registry.cards()} == set(numbers)


def test_a_desk_reads_the_citys_cards_again_only_where_another_desk_made_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A city has a million cards, and a desk makes them one by one."""
    read: list[int] = []

    def counted(*asked: Any) -> Iterator[Card]:
        for card in real(*asked):
            read.append(card.uid)
            yield card

    real = store.read_cards
    with open_desk(Folder(folder)) as one, open_desk(Folder(folder)) as other:
        monkeypatch.setattr(store, "read_cards", counted)
        for at in range(3):
            making.make(VirtualCard(UID[:-1] + bytes((at,))), one, making.Wanted())
        assert read == []
        making.make(VirtualCard(UID[:-1] + bytes((9,))), other, making.Wanted())
        assert len(set(read)) == 3
        assert len(other.registry.cards()) == 4
