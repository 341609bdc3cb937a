"""A till gives sales back: the last one of its shift, or one by its receipt and a reason; once, counted in its shift, whatever is torn on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.money import Rupiah
from terminals.errors import InputWrong, NotSold
from terminals.pump import Pump
from terminals.refunds import Sale, sale_of
from terminals.roles.merchant import Merchant
from terminals.screen.board import Tone
from terminals.station import Station
from tests.system.tears_city import KIOSKS, TILLS, Rig, check_laws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.issuing import Issued
    from terminals.screen.board import Board
    from terminals.terminal import Terminal

VALUE, PRICE = Rupiah(50_000), Rupiah(12_000)


class Shop:
    """A till with its shift open, and a card that has bought something."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.terminal: Terminal = rig.terminal(TILLS[0])
        self.station = Station(
            self.terminal, Merchant(self.terminal), Pump(self.terminal, rig.clock.now), rig.clock
        )
        (self.card,) = rig.loaded(1, VALUE)
        self.station.press("open-shift", "Kasir 1")
        self.sell(self.card)

    def sell(self, card: Issued) -> None:
        self.station.press("sale", str(PRICE))
        assert self.tap(card).word == "paid"

    def tap(self, card: Issued) -> Board:
        card.chip.leave_field()
        shown = self.station.tapped(card.chip)
        card.chip.leave_field()
        return shown

    def sums(self) -> dict[str, tuple[int, int]]:
        shift = self.terminal.outbox.shift()
        assert shift is not None
        return {line.kind: (line.count, line.amount) for line in shift.lines}

    def closed(self) -> str:
        """How the shift stands against the books at its end; and every law holds."""
        board = self.station.press("close-shift")
        self.station.close()
        self.rig.receipted += self.terminal.outbox.next_sequence - 1
        check_laws(self.rig)
        return board.word


@pytest.fixture
def shop(rig: Rig) -> Iterator[Shop]:
    made = Shop(rig)
    yield made
    made.station.close()


def test_the_last_sale_is_taken_back_once_and_the_shift_agrees_with_the_books(shop: Shop) -> None:
    shop.station.press("void")
    assert (shop.station.boards.now.word, shop.station.boards.now.amount) == ("hold-card-refund", PRICE)
    board = shop.tap(shop.card)
    assert (board.tone, board.word, board.amount, board.balance) == (Tone.GREEN, "refunded", PRICE, VALUE)
    assert shop.card.chip_balance == VALUE
    assert shop.sums() == {"sale": (1, PRICE), "refund": (1, -PRICE)}
    with pytest.raises(InputWrong, match="no sale of this shift"):
        shop.station.press("void")
    assert shop.closed() == "shift-agrees"


def test_a_sale_is_given_back_by_its_receipt_and_a_reason(shop: Shop) -> None:
    shop.sell(shop.card)
    shop.station.press("refund", f"KSH-{TILLS[0].number}-1")
    assert shop.station.boards.now.word == "choose-reason"
    assert shop.tap(shop.card).word == "choose-reason"
    with pytest.raises(NotSold):
        shop.station.press("sale", "5000")
    shop.station.press("goods-returned")
    assert shop.tap(shop.card).word == "refunded"
    shop.station.press("refund", f"ksh-{TILLS[0].number}-1")
    shop.station.press("wrong-amount")
    assert shop.tap(shop.card).word == "refund-denied"
    assert shop.card.chip_balance == VALUE - PRICE
    assert shop.sums() == {"sale": (2, 2 * PRICE), "refund": (1, -PRICE)}
    assert shop.closed() == "shift-agrees"


def test_another_card_gets_nothing_and_the_till_can_think_better_of_it(shop: Shop) -> None:
    (other,) = shop.rig.loaded(1, VALUE)
    shop.station.press("void")
    assert shop.tap(other).word == "refund-denied"
    assert other.chip_balance == VALUE
    shop.station.press("void")
    shop.station.press("cancel")
    assert shop.station.boards.now.word == "enter-price"
    assert shop.tap(shop.card).word == "no-price"
    assert shop.closed() == "shift-agrees"


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize("number", range(1, 12))
def test_a_void_torn_at_any_exchange_is_done_once_when_the_card_is_held_again(
    shop: Shop, number: int, acts: bool
) -> None:
    shop.station.press("void")
    shop.card.chip.leave_field()
    shop.card.chip.tear(number, acts=acts)
    board = shop.tap(shop.card)
    assert board.tone is Tone.AMBER
    again = shop.tap(shop.card)
    assert (again.word, again.amount, shop.card.chip_balance) == ("refunded", PRICE, VALUE)
    assert shop.sums() == {"sale": (1, PRICE), "refund": (1, -PRICE)}
    assert shop.closed() == "shift-agrees"


def test_what_is_counted_outlives_a_till_that_is_killed(shop: Shop) -> None:
    shop.station.press("void")
    shop.tap(shop.card)
    shop.station.close()
    shop.rig.restart(TILLS[0].number)
    again = shop.rig.terminal(TILLS[0])
    shift = again.outbox.shift()
    assert shift is not None
    assert {line.kind: line.amount for line in shift.lines} == {"sale": PRICE, "refund": -PRICE}
    assert again.outbox.last_sale(TILLS[0].number) is None


def test_a_kiosk_gives_no_sale_back(shop: Shop) -> None:
    kiosk = shop.rig.terminal(KIOSKS[0])
    kiosk.outbox.open_shift("Kasir 2", shop.rig.clock.now())
    shop.terminal.upload()
    with pytest.raises(Exception, match="may not give back"):
        kiosk.refund(shop.card.chip, Sale(TILLS[0].number, 1), "goods-returned")


@pytest.mark.parametrize("text", ["KSH-2001-17", " ksh-2001-17 ", "2001-17", "2001/17", "KSH 2001 17"])
def test_a_receipts_number_is_read_as_people_type_it(text: str) -> None:
    assert sale_of(text) == Sale(2001, 17)


@pytest.mark.parametrize(
    "text", ["", "17", "KSH-2001", "KSH-0-17", "2001-x", "KSH-2001-17-3", "KSH-\u0662-17"]
)
def test_what_is_no_receipts_number_is_asked_for_again(text: str) -> None:
    with pytest.raises(InputWrong, match="as it stands there"):
        sale_of(text)
