"""The cardholder's pages on an old phone, as a person uses them: four languages, no script needed, readable to screen readers; a receipt that checks itself.

With HEBAT_PICTURES=1 the pictures go to docs/img.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from keys.clock import day_of
from ledger.cardholder.words import LANGUAGES, words
from tests.browser.conftest import PICTURES
from tests.cardholder.town import PIN, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Route, ViewportSize

    from hebat.issuing import Issued

WIDTH: Final = 360
HEIGHT: Final = 640
WEIGHT_MAX: Final = 30_000
WCAG: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town.open(tmp_path_factory.mktemp("phone") / "city") as opened:
        yield opened


@pytest.fixture(scope="module")
def card(town: Town) -> Issued:
    """A pupil's card with rides, a transfer and a purchase, on a day that is closed."""
    made = town.card(loaded=87_500, registered=True)
    town.rides(made, [3_500])
    town.rides(made, [0], rules=("full", "transfer"))
    town.buys(made, 25_000)
    town.rides(made, [1_000], rules=("concession:pupil",))
    town.rides(made, [3_500], rules=("full:pupil-rest-day",))
    town.city.ledger.close_window(day_of(date(2026, 11, 18)))
    return made


LINES: Final = "one => { const text = document.createRange(); text.selectNodeContents(one); return text.getClientRects().length; }"
"""How many lines the words of an element take."""


@contextmanager
def phone(browser: Browser, *, dark: bool = False, script: bool = True) -> Iterator[Page]:
    size: ViewportSize = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(
        viewport=size, color_scheme="dark" if dark else "light", java_script_enabled=script
    )
    context.set_default_timeout(60_000)
    try:
        yield context.new_page()
    finally:
        context.close()


def open_card(page: Page, town: Town, card: Issued, language: str) -> None:
    page.goto(f"{town.server.address}/c/{card.token}?l={language}")
    page.get_by_label(words(language).t("pin-label")).fill(PIN)
    page.get_by_role("button", name=words(language).t("pin-open")).click()
    page.wait_for_url("**/card?*")


def violations(page: Page) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page, options=WCAG).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]


def answering(body: bytes) -> Callable[[Route], None]:
    """A server that gives this for a proof."""
    return lambda route: route.fulfill(body=body, content_type="application/json")


def picture(page: Page, name: str) -> None:
    if os.environ.get("HEBAT_PICTURES"):
        taken = Image.open(io.BytesIO(page.screenshot()))
        taken.convert("RGB").quantize(96).save(PICTURES / f"{name}.png", optimize=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_can_be_read_by_everybody_in_every_language(
    browser: Browser, town: Town, card: Issued, language: str
) -> None:
    dark = language in {"jv", "zh"}
    with phone(browser, dark=dark) as page:
        page.goto(f"{town.server.address}/c/{card.token}?l={language}")
        assert violations(page) == []
        assert page.get_by_role("button", name=words(language).t("pin-open")).evaluate(LINES) == 1
        picture(page, f"cardholder-scan-{language}") if language == "jv" else None
        open_card(page, town, card, language)
        assert page.evaluate("document.documentElement.lang") == words(language).html
        assert violations(page) == []
        picture(page, "balance" if language == "id" else f"cardholder-{language}")
        others = ("/card/block", "/card/register", "/card/data") if language == "en" else ()
        for path in ("/card/taps/3", *others):
            page.goto(f"{town.server.address}{path}?l={language}")
            assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


def test_the_first_screen_of_an_old_phone_shows_balance_and_last_taps_without_a_script(
    browser: Browser, town: Town, card: Issued
) -> None:
    with phone(browser, script=False) as page:
        open_card(page, town, card, "id")
        lines = page.locator(".taps li")
        assert "Rp54.500" in page.locator("h1").inner_text()
        third = lines.nth(2).bounding_box()
        assert third is not None
        assert third["y"] < HEIGHT, "three taps begin on the first screen"
        lines.first.locator("a").click()
        expect(page.locator("dl")).to_contain_text("konsesi pelajar libur")


def weighed(page: Page, address: str) -> int:
    """How many bytes the document at that address has, read while the page is open."""
    answer = page.goto(address)
    assert answer is not None
    return len(answer.body())


def test_everything_that_a_page_loads_is_ours_and_under_thirty_kilobytes(
    browser: Browser, town: Town, card: Issued, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    with phone(browser) as page:
        open_card(page, town, card, "id")
        page.on("request", lambda one: asked.append(one.url))
        first = weighed(page, f"{town.server.address}/card?l=id")
        sizes = {
            path: len(page.request.get(f"{town.server.address}/card/static/{path}").body())
            for path in ("card.css", "icon.svg", "verify.js")
        }
        second = weighed(page, f"{town.server.address}/card/taps/3?l=id")
    assert asked
    assert all(url.startswith(town.server.address) for url in asked)
    whole = first + sizes["card.css"] + sizes["icon.svg"]
    receipt = second + sum(sizes.values())
    with capsys.disabled():
        print(f"\nthe card's page weighs {whole} bytes all told, a receipt with its script {receipt}")  # noqa: T201
    assert whole < WEIGHT_MAX
    assert receipt < WEIGHT_MAX


def test_a_receipt_is_proven_on_the_phone_and_any_changed_byte_is_seen(
    browser: Browser, town: Town, card: Issued
) -> None:
    with phone(browser) as page:
        open_card(page, town, card, "en")
        page.goto(f"{town.server.address}/card/taps/3?l=en")
        page.get_by_role("button", name="Verify on this phone").click()
        expect(page.locator("#proof")).to_have_attribute("data-result", "good")
        told = page.get_by_role("status").inner_text()
        assert "Proven." in told
        assert "terminal 1002" in told
        assert violations(page) == []
        picture(page, "cardholder-receipt")
        whole = page.request.get(f"{town.server.address}/card/taps/3/proof.json").body()
        for at in (20, 60, len(whole) // 2, len(whole) - 90, len(whole) - 4):
            changed = whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]

            page.route("**/proof.json", answering(changed))
            page.reload()
            page.get_by_role("button", name="Verify on this phone").click()
            expect(page.locator("#proof")).to_have_attribute("data-result", "bad")
            page.unroute("**/proof.json")


def test_another_taps_proof_is_not_taken_for_this_one(browser: Browser, town: Town, card: Issued) -> None:
    with phone(browser) as page:
        open_card(page, town, card, "en")
        other = page.request.get(f"{town.server.address}/card/taps/4/proof.json").body()
        page.route("**/proof.json", answering(other))
        page.goto(f"{town.server.address}/card/taps/3?l=en")
        page.get_by_role("button", name="Verify on this phone").click()
        expect(page.locator("#proof")).to_have_attribute("data-result", "bad")


def test_a_phone_without_ed25519_checks_signatures_by_its_own_sums(
    browser: Browser, town: Town, card: Issued
) -> None:
    """RFC 8032, section 7.1, tests 1 to 3; and the page's own proof with Web Crypto's Ed25519 taken away."""
    vectors = [
        ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ]  # fmt: skip
    asked = "([k, m, s]) => { const u = (t) => Uint8Array.from(t.match(/../g) || [], (b) => parseInt(b, 16)); return kshSlowly(u(k), u(s), u(m)); }"
    with phone(browser) as page:
        open_card(page, town, card, "en")
        page.goto(f"{town.server.address}/card/taps/3?l=en")
        for key, message, signature in vectors:
            assert page.evaluate(asked, [key, message, signature]) is True
            assert page.evaluate(asked, [key, message + "00", signature]) is False
        page.evaluate(
            "() => { crypto.subtle.importKey = () => Promise.reject(new Error('no Ed25519 here')); }"
        )
        page.get_by_role("button", name="Verify on this phone").click()
        expect(page.locator("#proof")).to_have_attribute("data-result", "good")


def test_a_pin_and_a_password_can_be_pasted(browser: Browser, town: Town, card: Issued) -> None:
    """As a password manager, or somebody who keeps it elsewhere, brings it."""
    written = "() => { const field = document.createElement('input'); field.id = 'from'; field.value = '271828'; document.body.append(field); }"
    with phone(browser) as page:
        for address, field in ((f"/c/{card.token}", "#pin"), ("/staff/sign-in", "#password")):
            page.goto(town.server.address + address)
            page.evaluate(written)
            page.locator("#from").select_text()
            page.locator("#from").press("Control+c")
            page.locator(field).press("Control+v")
            expect(page.locator(field)).to_have_value("271828")
