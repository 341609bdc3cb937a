"""Loads from the wallet as a holder orders them on the page, and as real terminals write them: a kiosk, and a validator that may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hebat.fleet import Post, enrol
from keys.clock import service_day
from keys.identity import TerminalRole
from keys.money import Rupiah, sen_of
from ledger.chart import Code, account_id, split, wallet
from ledger.transfer import Kind, Result, Transfer
from terminals.fares import Place
from terminals.roles.kiosk import Kiosk
from terminals.roles.validator import Validator
from terminals.screen.board import Tone
from tests.cardholder.town import PIN, form_key
from tests.ledger.desk import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.issuing import Issued
    from terminals.terminal import Terminal
    from tests.cardholder.town import Holder, Town

EN = {"Accept-Language": "en"}
HERE = Place("1", "Simpang Lima", 1, 7, 1801)


def with_wallet(town: Town, loaded: int = 0, rupiah: int = 100_000) -> Issued:
    card = town.card(loaded=loaded)
    account, now = wallet(card.identity.card_number), town.scene.clock.now()
    bank = account_id(Code.BANK_SETTLEMENT, split(account).partition, 9)
    row = Transfer(bank, account, sen_of(Rupiah(rupiah)), Kind.DEPOSIT, now, service_day(now))
    assert town.city.ledger.post([row])[0].result is Result.POSTED
    return card


def in_view(town: Town, card: Issued) -> tuple[Holder, str]:
    holder = town.holder(**EN)
    return holder, form_key(holder.opens(card, PIN).text)


@pytest.fixture(scope="module")
def kiosk(town: Town) -> Iterator[Terminal]:
    with enrolled(town, Post(3801, TerminalRole.KIOSK, 701)) as made:
        yield made


def enrolled(town: Town, post: Post) -> Terminal:
    return enrol(town.city, post, town.server.address, town.city.configuration.tariffs[0])


def test_a_holder_orders_a_load_sees_it_under_way_and_a_kiosk_writes_it(town: Town, kiosk: Terminal) -> None:
    card = with_wallet(town)
    holder, key = in_view(town, card)
    assert "The wallet can give Rp100,000" in holder.get("/card/load").text
    assert holder.post("/card/load", {"key": key, "amount": "20000"}).status_code == 303
    page = holder.get("/card").text
    assert "Rp20,000 from the wallet waits for the card&#39;s next tap." in page
    assert "kiosk." not in page  # no cash is on its way
    assert "Still under way" in holder.get("/card/load").text
    card.chip.leave_field()
    panel = Kiosk(kiosk)
    assert panel.press("wallet", "").word == "hold-card-wallet"
    board = panel.card(card.chip)
    assert (board.tone, board.word, board.amount, board.balance) == (Tone.GREEN, "loaded", 20_000, 20_000)
    assert "waits for the card" not in holder.get("/card").text
    assert "from the wallet" in holder.get("/card").text  # the load's line tells where it came from
    panel.press("wallet", "")
    card.chip.leave_field()
    assert panel.card(card.chip).word == "nothing-ordered"


def test_a_validator_that_may_loads_first_and_takes_the_fare_then(town: Town) -> None:
    card, poor = with_wallet(town), town.card(loaded=0)
    holder, key = in_view(town, card)
    holder.post("/card/load", {"key": key, "amount": "10000"})
    with enrolled(town, Post(1801, TerminalRole.VALIDATOR, OPERATOR, loads=True)) as bus:
        bus.upload()
        board = Validator(bus, HERE).card(card.chip)
        assert board.amount is not None
        assert (board.tone, board.balance) == (Tone.GREEN, 10_000 - board.amount)
        assert Validator(bus, HERE).card(poor.chip).tone is Tone.RED  # nobody ordered anything for this one
        bus.upload()
    shown = holder.get("/card").text
    assert "waits for the card" not in shown
    assert town.city.ordered.waiting(town.known(card)) is None


def test_a_validator_that_may_not_takes_the_fare_alone(town: Town) -> None:
    card = with_wallet(town, loaded=50_000)
    holder, key = in_view(town, card)
    holder.post("/card/load", {"key": key, "amount": "10000"})
    with enrolled(town, Post(1802, TerminalRole.VALIDATOR, OPERATOR)) as bus:
        bus.upload()
        board = Validator(bus, HERE).card(card.chip)
        assert board.tone is Tone.GREEN
        assert card.chip_balance == board.balance
        assert card.chip_balance < 50_000


def test_what_waits_is_taken_back_and_a_second_order_is_refused(town: Town) -> None:
    card = with_wallet(town)
    holder, key = in_view(town, card)
    holder.post("/card/load", {"key": key, "amount": "50000"})
    twice = holder.post("/card/load", {"key": key, "amount": "50000"})
    assert (twice.status_code, "Nothing was changed" in twice.text) == (409, True)
    assert holder.post("/card/load/cancel", {"key": key}).status_code == 303
    assert "The wallet can give Rp100,000" in holder.get("/card/load").text
    assert holder.post("/card/load/cancel", {"key": key}).status_code == 409


@pytest.mark.parametrize("amount", ["", "0", "15000", "-10000", "1e4", "\uff19"])
def test_only_the_amounts_of_the_form_are_ordered(town: Town, amount: str) -> None:
    card = with_wallet(town)
    holder, key = in_view(town, card)
    assert holder.post("/card/load", {"key": key, "amount": amount}).status_code == 409
    assert town.city.ordered.waiting(town.known(card)) is None


def test_a_wallet_that_holds_too_little_orders_nothing(town: Town) -> None:
    card = with_wallet(town, rupiah=9_999)
    holder, key = in_view(town, card)
    assert holder.post("/card/load", {"key": key, "amount": "10000"}).status_code == 409


def test_an_automatic_load_is_set_kept_and_ended_on_the_page(town: Town) -> None:
    card = with_wallet(town, loaded=50_000)
    holder, key = in_view(town, card)
    asked = {"key": key, "below": "10000", "amount": "20000"}
    assert holder.post("/card/load/automatic", asked).status_code == 303
    told = (
        "When the card holds less than Rp10,000, Rp20,000 is ordered from the wallet; at most Rp40,000 a day."
    )
    assert told in holder.get("/card/load").text
    town.rides(card, [41_000])
    assert "Rp20,000 from the wallet waits" in holder.get("/card").text
    assert holder.post("/card/load/automatic", {"key": key, "amount": "0"}).status_code == 303
    assert "Not set." in holder.get("/card/load").text
    assert holder.post("/card/load/automatic", {**asked, "below": "1"}).status_code == 409


@pytest.mark.parametrize("path", ["/card/load", "/card/load/cancel", "/card/load/automatic"])
def test_nothing_is_ordered_without_a_pin_or_from_another_page(town: Town, path: str) -> None:
    card = with_wallet(town)
    stranger = town.holder(**EN)
    asked = {"amount": "20000", "below": "10000"}
    assert stranger.post(path, asked).status_code == 403
    holder, key = in_view(town, card)
    assert holder.post(path, {**asked, "key": "0" * 32}).status_code == 403
    assert holder.post(path, {**asked, "key": key}, Sec_Fetch_Site="cross-site").status_code == 403
    assert town.city.ordered.waiting(town.known(card)) is None
    assert town.city.ordered.standing(town.known(card)) is None
