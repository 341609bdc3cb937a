"""A sale that is given back onto the card that paid it: once, no more than it was, by its own merchant, and torn at any exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest

from card import far
from card.batch import REFUND_CONTENT_TYPE
from card.layout import TapKind
from keys.identity import read_certificate
from keys.money import Rupiah
from keys.rights import Right, Rights, TerminalRole
from ledger.chart import Code, account_id, purse, split
from ledger.errors import BatchMalformed, LoadRefused
from tests.ledger.kiosk import Kiosk
from tests.ledger.test_relay import COMMIT_STEP, books, check_whole, restarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.issuing import Issued
    from ledger.relay.told import Step, Told
    from tests.ledger.desk import Scene

SHOP, OTHER_SHOP = 502, 503
PRICE = 12_000


class Till(Kiosk):
    """A shop's till: it sells, and asks the ledger to give back."""

    def __init__(self, scene: Scene, number: int = 2101, owner: int = SHOP) -> None:
        self._owner = owner
        super().__init__(scene, number, scene.city.desk)

    def __post_init__(self) -> None:
        self.desk = self.scene.desk(self.number, TerminalRole.MERCHANT, self._owner)

    def sell(self, card: Issued, amount: int = PRICE) -> int:
        """A sale that is in the books; its record's number."""
        record = self.desk.tap(card, TapKind.SALE, amount, rules=("sale",))
        self.desk.send()
        card.chip.leave_field()
        return record.sequence

    def ask(
        self,
        card: Issued,
        sequence: int,
        amount: int = 0,
        *,
        terminal: int = 0,
        reason: str = "goods returned",
    ) -> Step:
        """Begin a refund of a sale of this till, or of another terminal's."""
        card.chip.leave_field()
        self.requests += 1
        about = [terminal or self.number, sequence, reason]
        payload = [card.chip.uid, amount, self.requests, self.scene.clock.now(), *about]
        self.sent.append(self.desk.seal(cbor2.dumps(payload, canonical=True), REFUND_CONTENT_TYPE))
        return self.line.begin(self.sent[-1])

    def finish(self, step: Step, card: Issued) -> Told:
        """Carry on to the end."""
        while step.apdus:
            step = self.go_on(step, card.chip)
        assert step.outcome is not None
        return step.outcome

    def refund(self, card: Issued, sequence: int, amount: int = 0) -> Told:
        """A whole refund."""
        return self.finish(self.ask(card, sequence, amount), card)


@pytest.fixture
def till(scene: Scene) -> Till:
    return Till(scene)


def paid_card(scene: Scene) -> Issued:
    """A card that was loaded by a kiosk, in the books too."""
    card, kiosk = scene.card(), Kiosk(scene, 3101 + scene.serial, scene.city.desk)
    kiosk.load(card, 50_000)
    card.chip.leave_field()
    return card


def earned(scene: Scene, card: Issued, owner: int = SHOP) -> int:
    """What the books owe the merchant of this card's sales, in rupiah, and nothing held."""
    account = account_id(Code.MERCHANT_PAYABLE, split(purse(card.identity.card_number)).partition, owner)
    balance = scene.city.ledger.balance(account)
    assert balance.debits_pending == balance.credits_pending == 0
    return balance.net(account) // 100


def test_a_refund_moves_from_what_the_merchant_is_owed_onto_the_card(scene: Scene, till: Till) -> None:
    card = paid_card(scene)
    sale = till.sell(card)
    assert (card.chip_balance, earned(scene, card)) == (50_000 - PRICE, PRICE)
    told = till.refund(card, sale)
    assert (told.colour, told.amount, told.balance) == ("green", PRICE, 50_000)
    assert (card.chip_balance, earned(scene, card)) == (50_000, 0)
    check_whole(scene, card, receipted=1)


def test_a_part_is_given_back_and_then_nothing_more(scene: Scene, till: Till) -> None:
    card = paid_card(scene)
    sale = till.sell(card)
    assert till.refund(card, sale, 5_000).amount == 5_000
    for amount in (0, 1, 7_000):
        with pytest.raises(LoadRefused, match="given back once"):
            till.ask(card, sale, amount)
    assert (card.chip_balance, earned(scene, card)) == (43_000, 7_000)
    check_whole(scene, card, receipted=1)


def test_no_more_than_the_sale_and_no_sale_that_is_not_this_cards(scene: Scene, till: Till) -> None:
    card, other = paid_card(scene), paid_card(scene)
    sale = till.sell(card)
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: till.ask(card, sale, PRICE + 1), "no more than that"),
        (lambda: till.ask(other, sale), "no such sale of this card"),
        (lambda: till.ask(card, sale + 1), "no such sale of this card"),
        (lambda: till.ask(card, 1, terminal=9_999), "no such sale of this card"),
    ]
    for asked, why in wrong:
        with pytest.raises(LoadRefused, match=why):
            asked()
    assert (books(scene, card), books(scene, other)) == ((38_000, 0), (50_000, 0))


def test_another_merchant_gives_nothing_back_and_another_till_of_the_same_does(
    scene: Scene, till: Till
) -> None:
    card = paid_card(scene)
    sale = till.sell(card)
    thief, sister = Till(scene, 2102, OTHER_SHOP), Till(scene, 2103)
    with pytest.raises(LoadRefused, match="another merchant's"):
        thief.ask(card, sale, terminal=till.number)
    assert sister.finish(sister.ask(card, sale, terminal=till.number), card).colour == "green"
    check_whole(scene, card, receipted=1)


def test_a_terminal_without_the_right_gives_nothing_back(scene: Scene, till: Till) -> None:
    card, city = paid_card(scene), scene.city
    sale = till.sell(card)
    sells = Till(scene, 2104)
    only_sales = Rights(frozenset({Right.SALE}), Rupiah(1_000_000))
    pem = city.authority.enrol(
        sells.desk.identity.request(), 2104, TerminalRole.MERCHANT, SHOP, rights=only_sales
    )
    city.registry.add_terminal(read_certificate(pem, city.root, scene.clock.now()))
    with pytest.raises(LoadRefused, match="may not give back"):
        sells.ask(card, sale, terminal=till.number)
    assert books(scene, card) == (38_000, 0)


@pytest.mark.parametrize(
    "about",
    [[], [2101], [2101, 1], [2101, 1, ""], [2101, 1, "x" * 61], [0, 1, "x"], ["a", 1, "x"], [2101, 1, "\n"]],
)
def test_a_request_that_names_no_sale_or_no_reason_is_no_request(
    scene: Scene, till: Till, about: list[object]
) -> None:
    card = paid_card(scene)
    body = cbor2.dumps([card.chip.uid, 0, 1, scene.clock.now(), *about], canonical=True)
    with pytest.raises(BatchMalformed):
        till.line.begin(till.desk.seal(body, REFUND_CONTENT_TYPE))


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize("number", range(1, COMMIT_STEP + 1))
def test_a_refund_torn_at_any_exchange_is_given_once_when_the_card_comes_again(
    scene: Scene, till: Till, number: int, acts: bool
) -> None:
    card = paid_card(scene)
    sale = till.sell(card)
    step = till.until(till.ask(card, sale), card.chip, number)
    if acts:
        far.carried(card.chip, step.apdus)
    till.line.step(till.answered(step, []))
    told = till.refund(card, sale)
    assert (told.colour, told.amount, card.chip_balance) == ("green", PRICE, 50_000)
    assert earned(scene, card) == 0
    with pytest.raises(LoadRefused, match="given back once"):
        till.ask(card, sale)
    check_whole(scene, card, receipted=1)


def test_a_refund_that_landed_unheard_is_not_given_again_after_another_tap(scene: Scene, till: Till) -> None:
    """The card was elsewhere meanwhile: it cannot show the refund's value any more, and its next signed tap is not sent yet."""
    card, bus = paid_card(scene), scene.desk(1101)
    sale = till.sell(card)
    step = till.until(till.ask(card, sale), card.chip, COMMIT_STEP)
    far.carried(card.chip, step.apdus)
    till.line.step(till.answered(step, []))
    bus.tap(card, TapKind.FARE, 3_500)
    told = till.refund(card, sale)
    assert (told.colour, "not settled yet" in told.detail) == ("red", True)
    assert card.chip_balance == 46_500
    bus.send()
    with pytest.raises(LoadRefused, match="given back once"):
        till.ask(card, sale)
    assert earned(scene, card) == 0
    check_whole(scene, card, receipted=2)


@pytest.mark.parametrize("acts", [True, False])
def test_a_ledger_that_dies_in_a_refund_gives_it_once(scene: Scene, till: Till, acts: bool) -> None:
    card = paid_card(scene)
    sale = till.sell(card)
    step = till.until(till.ask(card, sale), card.chip, COMMIT_STEP)
    if acts:
        far.carried(card.chip, step.apdus)
    till.line = restarted(scene)
    told = till.refund(card, sale)
    assert (told.colour, card.chip_balance, earned(scene, card)) == ("green", 50_000, 0)
    check_whole(scene, card, receipted=1)


def test_the_replay_of_a_refunds_request_gives_nothing_twice(scene: Scene, till: Till) -> None:
    card = paid_card(scene)
    sale = till.sell(card)
    till.refund(card, sale)
    with pytest.raises(LoadRefused, match="used already"):
        till.line.begin(next(body for body in till.sent))
    assert card.chip_balance == 50_000
