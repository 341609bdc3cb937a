"""The page of the Saving pocket: consent given and ended, the bank's words with their time, money in and out; in a browser without a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hebat.fleet import Post, enrol
from keys.clock import UnixMs
from keys.identity import TerminalRole
from keys.money import Rupiah, sen_of
from ledger.cardholder.reading import wallet
from ledger.cardholder.words import LANGUAGES
from ledger.chart import purse
from settlement.partner_bank.faults import Fault
from terminals.roles.kiosk import Kiosk
from terminals.screen.board import Tone
from tests.cardholder.banked_town import banked_town
from tests.cardholder.town import Holder, Town, form_key
from tests.settlement.banked import CODE, OPENED, SAVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.issuing import Issued
    from settlement.partner_bank.bank import PartnerBank

EN = {"Accept-Language": "en"}
AGREED = {"agree-balance": "yes", "agree-top-up": "yes", "agree-sweep": "yes"}
PAGE = "/card/saving"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, PartnerBank]]:
    with banked_town(tmp_path_factory.mktemp("saving")) as made:
        yield made


@pytest.fixture
def holder(both: tuple[Town, PartnerBank]) -> Iterator[tuple[Holder, dict[str, str], Issued]]:
    """A holder in a view, with an account linked; it ends with the test."""
    town, _ = both
    card = town.card(registered=True)
    found = town.holder(**EN)
    key = {"key": form_key(found.opens(card).text)}
    assert found.post(f"{PAGE}/link", {**key, **AGREED, "bank": "bni", "code": CODE}).status_code == 303
    yield found, key, card
    found.post(f"{PAGE}/revoke", {**key, "link": "1"})


def order_of(page: str) -> str:
    found = re.search(r'name="order" value="([0-9a-z]+)"', page)
    assert found is not None
    return found[1]


def saving_of(bank: PartnerBank) -> int:
    with bank.books.session() as session:
        account = session.account(SAVER)
    assert account is not None
    return account.balance


def test_the_page_shows_what_the_bank_said_and_when(holder: tuple[Holder, dict[str, str], Issued]) -> None:
    page = holder[0].get(PAGE).text
    assert "Bank Negara Indonesia" in page
    assert SAVER not in page
    assert f"•••• </span>{SAVER[-4:]}" in page
    assert "Rp1,000,000" in page
    assert "As the bank said on 18 Nov 2026" in page


def test_money_comes_from_the_saving_account_through_the_wallet_onto_the_chip(
    both: tuple[Town, PartnerBank], holder: tuple[Holder, dict[str, str], Issued]
) -> None:
    """Direct debit, wallet, an ordered load, and the card's next tap at a kiosk: one amount, moved once at each step."""
    (town, bank), (page, key, card) = both, holder
    ledger, number = town.city.ledger, card.identity.card_number
    held, chip = saving_of(bank), card.chip_balance
    amount = sen_of(Rupiah(30_000))
    order = order_of(page.get(PAGE).text)
    top_up = {**key, "order": order, "link": "1", "amount": "30000", "way": "in"}
    assert page.post(f"{PAGE}/move", top_up).status_code == 303
    assert (saving_of(bank), ledger.balance(wallet(town.known(card))).credits_posted) == (
        held - amount,
        amount,
    )
    assert page.post("/card/load", {**key, "amount": "20000"}).status_code == 303
    assert ledger.balance(wallet(town.known(card))).debits_pending == sen_of(Rupiah(20_000))
    assert "Wallet: Rp30,000. Available Rp10,000, on hold Rp20,000." in page.get(PAGE).text
    tariff, post = town.city.configuration.tariffs[0], Post(3811, TerminalRole.KIOSK, 701)
    with enrol(town.city, post, town.server.address, tariff) as kiosk:
        panel = Kiosk(kiosk)
        panel.press("wallet", "")
        card.chip.leave_field()
        board = panel.card(card.chip)
    assert (board.tone, board.amount, card.chip_balance) == (Tone.GREEN, 20_000, chip + 20_000)
    assert "Wallet: Rp10,000.<" in page.get(PAGE).text  # nothing is held any more
    left = ledger.balance(wallet(town.known(card)))
    assert (left.net(wallet(town.known(card))), left.debits_pending) == (sen_of(Rupiah(10_000)), 0)
    assert ledger.balance(purse(number)).net(purse(number)) == sen_of(Rupiah(chip + 20_000))


def test_money_is_ordered_once_however_often_the_button_is_pressed(
    both: tuple[Town, PartnerBank], holder: tuple[Holder, dict[str, str], Issued]
) -> None:
    (town, bank), (browser, key, card) = both, holder
    before = saving_of(bank)
    form = {**key, "link": "1", "amount": "50.000", "way": "in", "order": order_of(browser.get(PAGE).text)}
    for _ in range(2):
        assert browser.post(f"{PAGE}/move", form).status_code == 303
    assert (before - saving_of(bank), wallet_of(town, card)) == (5_000_000, 5_000_000)
    form |= {"amount": "Rp 20,000", "way": "back", "order": order_of(browser.get(PAGE).text)}
    assert browser.post(f"{PAGE}/move", form).status_code == 303
    assert wallet_of(town, card) == 3_000_000
    page = browser.get(PAGE).text
    assert ("+Rp50,000" in page, "\u2212Rp20,000" in page, page.count("Done")) == (True, True, 2)
    assert f"Rp{saving_of(bank) // 100:,}" in page


def wallet_of(town: Town, card: Issued) -> int:
    account = wallet(town.known(card))
    return town.city.ledger.balance(account).net(account)


def test_an_order_without_an_answer_waits_and_asking_the_bank_ends_it(
    both: tuple[Town, PartnerBank], holder: tuple[Holder, dict[str, str], Issued]
) -> None:
    (town, bank), (browser, key, card) = both, holder
    bank.faults.script([Fault.LOST_AFTER])
    form = {**key, "link": "1", "amount": "10000", "way": "in", "order": order_of(browser.get(PAGE).text)}
    assert browser.post(f"{PAGE}/move", form).status_code == 303
    assert "Waiting for the bank" in browser.get(PAGE).text
    assert wallet_of(town, card) == 0
    assert browser.post(f"{PAGE}/look", {**key, "link": "1"}).status_code == 303
    assert "Waiting" not in browser.get(PAGE).text
    assert wallet_of(town, card) == 1_000_000
    town.scene.clock.move_to(UnixMs(town.scene.clock.now() + 1000))


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("move", {"link": "1", "amount": "-5", "way": "in", "order": "a"}, "Give an amount in rupiah"),
        ("move", {"link": "1", "amount": "9" * 13, "way": "in", "order": "a"}, "Give an amount in rupiah"),
        ("move", {"link": "1", "amount": "", "way": "in", "order": "a"}, "Give an amount in rupiah"),
        ("move", {"link": "1", "amount": "5000", "way": "back", "order": "a"}, "cannot give or take"),
        ("move", {"link": "7", "amount": "5000", "way": "in", "order": "a"}, "not linked any more"),
        ("move", {"link": "x" * 9, "amount": "5000", "way": "in", "order": "a"}, "not linked any more"),
        ("look", {"link": ""}, "not linked any more"),
        ("link", {"bank": "bni", "code": CODE, **AGREED}, "linked already"),
        ("link", {"bank": "bca", "code": CODE, **AGREED}, "does not offer it"),
        ("link", {"bank": "bni", "code": CODE}, "have not agreed"),
        ("number", {"bank": "nobody"}, "does not offer it"),
    ],
)
def test_a_step_that_cannot_be_taken_says_why_and_moves_nothing(
    both: tuple[Town, PartnerBank], holder: tuple[Holder, dict[str, str], Issued], path: str, form: dict[str, str], said: str
) -> None:  # fmt: skip
    (town, bank), (browser, key, card) = both, holder
    before = saving_of(bank)
    answer = browser.post(f"{PAGE}/{path}", {**key, **form})
    assert (answer.status_code, said in answer.text) == (409, True), answer.text
    assert (saving_of(bank), wallet_of(town, card)) == (before, 0)


def test_nothing_of_it_is_there_without_the_pin_or_for_a_page_of_somebody_else(
    both: tuple[Town, PartnerBank], holder: tuple[Holder, dict[str, str], Issued]
) -> None:
    (town, bank), (browser, key, _) = both, holder
    before, form = saving_of(bank), {**key, "link": "1", "amount": "5000", "way": "in", "order": "a"}
    stranger = town.holder(**EN)
    assert stranger.get(PAGE).status_code == 403
    assert stranger.post(f"{PAGE}/move", form).status_code == 403
    assert browser.post(f"{PAGE}/move", {**form, "key": "0" * 32}).status_code == 403
    assert browser.post(f"{PAGE}/move", form, sec_fetch_site="cross-site").status_code == 403
    assert browser.get(f"{PAGE}/move").status_code == 404, "moving is no page"
    assert saving_of(bank) == before


def test_a_consent_ends_at_a_button_and_the_page_keeps_when(both: tuple[Town, PartnerBank]) -> None:
    town, bank = both
    card, browser = town.card(registered=True), town.holder(**EN)
    key = {"key": form_key(browser.opens(card).text)}
    browser.post(f"{PAGE}/link", {**key, "agree-balance": "yes", "bank": "bni", "code": CODE})
    page = browser.get(PAGE).text
    assert ("To the wallet" in page, "Back to saving" in page, "Ask the bank" in page) == (False, False, True)
    assert browser.post(f"{PAGE}/revoke", {**key, "link": "1"}).status_code == 303
    page = browser.get(PAGE).text
    assert ("Your agreement has ended" in page, "Ended 18 Nov 2026" in page, "Rp1,000,000" in page) == (
        True,
        True,
        False,
    )
    assert saving_of(bank) <= OPENED


def test_the_page_gives_a_virtual_account_and_speaks_four_languages(
    holder: tuple[Holder, dict[str, str], Issued],
) -> None:
    browser, key, card = holder
    assert browser.post(f"{PAGE}/number", {**key, "bank": "bni"}).status_code == 303
    pages = [browser.get(f"{PAGE}?l={language}").text for language in LANGUAGES]
    assert all(f"88010{card.identity.card_number}" in page for page in pages)
    assert len({page.split("<main")[1] for page in pages}) == len(LANGUAGES)


def test_a_city_without_a_bank_has_no_such_page(town: Town) -> None:
    browser = town.holder(**EN)
    assert PAGE not in browser.opens(town.card()).text
    assert browser.get(PAGE).status_code == 404
