"""A card that was torn at one terminal after another: what is proven of one intent tells of the others, in whatever order they come in."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from card.layout import TapKind
from hebat.folder import Folder
from ledger.chart import purse
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import Resolution
from tests.ledger.desk import Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.issuing import Issued

WITNESSED, VOIDED = Resolution.WITNESSED, Resolution.VOIDED


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One city; every case has terminals and a card of its own."""
    folder: Path = tmp_path_factory.mktemp("torn") / "city"
    opened = open_scene(Folder(folder), fresh=True)
    with opened.city:
        yield opened


def fates(scene: Scene, card: Issued) -> dict[int, str]:
    """How each unconfirmed record of a card was settled, by terminal; "" while open."""
    with scene.city.ledger.database.transaction() as connection:
        rows = quarantine.read_quarantine(connection)
    return {row.terminal: row.resolution for row in rows if row.uid == card.uid}


def books_and_chip(scene: Scene, card: Issued) -> tuple[int, int]:
    account = purse(card.identity.card_number)
    return scene.city.ledger.balance(account).net(account) // 100, card.chip_balance


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("second", [False, True], ids=["second not paid", "second paid"])
@pytest.mark.parametrize("first", [False, True], ids=["first not paid", "first paid"])
def test_two_torn_taps_and_a_good_one_close_in_every_order_of_upload(
    scene: Scene, order: tuple[int, ...], *, first: bool, second: bool
) -> None:
    card = scene.card(loaded=50_000)
    desks = [scene.desk(100_000 * scene.serial + n) for n in range(3)]
    desks[0].tap(card, TapKind.FARE, 3_500, confirmed=False, commits=first)
    desks[1].tap(card, TapKind.FARE, 3_500, confirmed=False, commits=second)
    desks[2].tap(card, TapKind.FARE, 3_500)
    for place in order:
        desks[place].send()
    settled = {desks[0].number: first, desks[1].number: second}
    assert fates(scene, card) == {number: WITNESSED if paid else VOIDED for number, paid in settled.items()}
    assert books_and_chip(scene, card) == (card.chip_balance, 46_500 - 3_500 * (first + second))


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=str)
def test_what_a_torn_tap_showed_settles_the_tap_before_it_in_either_order(
    scene: Scene, order: tuple[int, ...]
) -> None:
    card = scene.card(loaded=50_000)
    desks = [scene.desk(100_000 * scene.serial + n) for n in range(2)]
    desks[0].tap(card, TapKind.FARE, 3_500, confirmed=False)
    desks[1].tap(card, TapKind.FARE, 3_500, confirmed=False, commits=False)
    for place in order:
        desks[place].send()
    assert fates(scene, card) == {desks[0].number: WITNESSED, desks[1].number: ""}
    assert books_and_chip(scene, card) == (46_500, 46_500)
