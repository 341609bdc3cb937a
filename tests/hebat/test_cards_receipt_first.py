"""`hebat card load` says that the card is loaded as soon as it is: newer keys come behind that, and hold nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from card.apdu import Ins
from card.batch import RELAYED_FROM
from card.errors import Acted, CardLost
from card.personalise import made_with
from keys.vault import KeyName, Purpose, Role
from tests.hebat.card_desk import value_of, vault_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from card.virtual import VirtualCard
    from tests.hebat.card_desk import Desk, Ran

pytest_plugins = ["tests.hebat.card_desk_fixtures"]


class Overheard:
    """A card that notes what the command has printed when it is told to change a key; `goes` there, if it does."""

    def __init__(self, chip: VirtualCard, capsys: pytest.CaptureFixture[str], *, goes: bool) -> None:
        self.uid = chip.uid
        self.printed: list[str] = []
        self._chip, self._capsys, self._goes = chip, capsys, goes

    def transmit(self, apdu: bytes) -> bytes:
        if apdu[1] == Ins.CHANGE_KEY:
            self.printed.append(self._capsys.readouterr().out)
            if self._goes:
                raise CardLost(Acted.NOT_SENT)
        return self._chip.transmit(apdu)

    def leave_field(self) -> None:
        self._chip.leave_field()


SENTENCE = "Rp50.000 loaded. The card holds Rp50.000.\n"
DOCUMENT = {"loaded": 50_000, "balance": 50_000, "sequence": RELAYED_FROM + 1, "earlier": False}


@pytest.mark.parametrize("goes", [False, True])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_customer_and_a_machine_read_that_the_card_is_loaded_before_its_keys_are_changed(
    goes: bool,
    as_json: bool,
    chip: VirtualCard,
    desk: Desk,
    hebat: Callable[..., Ran],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for role in (Role.MASTER, Role.LOAD):
        vault_of(folder).generate_key(KeyName(role.value, 2), Purpose.CARD)
    card = Overheard(chip, capsys, goes=goes)
    desk.cards = [card]
    ran = hebat("load", "50.000", "--data", folder, *(["--json"] if as_json else []))
    told = card.printed[0]
    assert (json.loads(told) == DOCUMENT) if as_json else (told == SENTENCE)
    assert (ran.code, ran.out, len(card.printed)) == (0, "", 1 if goes else 2)
    chip.leave_field()
    assert made_with(chip)[1][3] == (1 if goes else 2)
    assert value_of(chip) == 50_000
