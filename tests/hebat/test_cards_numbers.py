"""Card numbers are kept for their chips before a chip is written: torn as one likes, no two chips bear one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.errors import CardLost
from card.layout import card_number
from card.virtual import VirtualCard
from hebat.cards import making
from hebat.cards.reserving import Reserved
from hebat.errors import InputRefused
from tests.hebat.card_desk import UID, opened

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.hebat.card_desk_fixtures"]


@pytest.mark.parametrize("at", [30, 34, 38])
def test_a_number_is_kept_for_a_chip_before_the_chip_is_written_and_no_other_chip_gets_it(
    folder: Path, at: int
) -> None:
    torn, other = VirtualCard(UID), VirtualCard(UID[:-1] + b"\x77")
    with opened(folder) as city:
        torn.tear(at, acts=True)
        with pytest.raises(CardLost):
            making.make(torn, city, making.Wanted())
        torn.leave_field()
    with opened(folder) as city:  # another day, another process
        assert making.make(other, city, making.Wanted()).identity.card_number == card_number(9, 2)
        with pytest.raises(InputRefused, match="serial 1 of bank 9 is taken"):
            making.make(VirtualCard(UID[:-1] + b"\x78"), city, making.Wanted(serial=1))
        assert making.make(torn, city, making.Wanted()).identity.card_number == card_number(9, 1)
        assert Reserved(city.folder).others(None) == set()


def test_numbers_that_cannot_be_read_are_not_given_twice(folder: Path) -> None:
    (folder / "card-numbers.json").write_text("{1", encoding="utf-8")
    with opened(folder) as city, pytest.raises(InputRefused, match="restore it from backup"):
        making.make(VirtualCard(UID), city, making.Wanted())
