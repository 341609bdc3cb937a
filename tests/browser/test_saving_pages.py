"""The pages of wallet and saving on an old phone: in four languages, readable to screen readers, and never wider than the phone.

With HEBAT_PICTURES=1 the pictures go to docs/img.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.money import Rupiah, sen_of
from ledger.cardholder.words import LANGUAGES, words
from tests.browser.test_cardholder_pages import WIDTH, open_card, phone, picture, violations
from tests.cardholder.banked_town import banked_town
from tests.cardholder.test_saving_page import AGREED, EN, PAGE, order_of
from tests.cardholder.town import form_key
from tests.settlement.banked import CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from hebat.issuing import Issued
    from tests.cardholder.town import Town


LINES = "one => new Set([...one.getClientRects()].map(each => Math.round(each.top))).size"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with banked_town(tmp_path_factory.mktemp("saving")) as (made, _):
        yield made


@pytest.fixture(scope="module")
def saver(town: Town) -> Issued:
    """A card whose holder has linked an account, moved money both ways, and ordered a load."""
    card, holder = town.card(registered=True, loaded=50_000), town.holder(**EN)
    key = {"key": form_key(holder.opens(card).text)}
    assert holder.post(f"{PAGE}/link", {**key, **AGREED, "bank": "bni", "code": CODE}).status_code == 303
    for amount, way in (("50000", "in"), ("20000", "back")):
        order = order_of(holder.get(PAGE).text)
        asked = {**key, "link": "1", "amount": amount, "way": way, "order": order}
        assert holder.post(f"{PAGE}/move", asked).status_code == 303
    assert holder.post("/card/load", {**key, "amount": "20000"}).status_code == 303
    return card


def check_good(page: Page, town: Town, language: str) -> None:
    for path in (PAGE, "/card/load", "/card/wallet"):
        page.goto(f"{town.server.address}{path}?l={language}")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, path


@pytest.mark.parametrize("language", LANGUAGES)
def test_saving_and_load_fit_an_old_phone_and_can_be_read_by_everybody(
    browser: Browser, town: Town, saver: Issued, language: str
) -> None:
    with phone(browser, dark=language in {"jv", "zh"}) as page:
        open_card(page, town, town.card(registered=True), language)
        check_good(page, town, language)  # nothing is linked, nothing ordered
    with phone(browser) as page:
        open_card(page, town, saver, language)
        check_good(page, town, language)
        page.goto(f"{town.server.address}{PAGE}?l={language}")
        lines = page.locator(".saving h2 .whole").evaluate(LINES)
        assert lines == 1  # a number is not broken over two
        told = page.locator(".saving .order .note").inner_text()
        for sum_ in (30_000, 10_000, 20_000):  # held in all, available, on hold
            assert words(language).money(sen_of(Rupiah(sum_))) in told
        picture(page, "cardholder-saving") if language == "id" else None
        page.goto(f"{town.server.address}/card/wallet?l={language}")
        assert page.locator(".orders li").count() == 2  # in from the bank and back; the load is held
        picture(page, "cardholder-wallet") if language == "id" else None
