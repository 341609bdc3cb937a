"""Each role of a terminal as its people use it: Chromium on the screen, virtual cards in and out, a real ledger behind.

With HEBAT_PICTURES=1 the pictures go to docs/img.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

from card import pcsc
from card.virtual.vpcd import VpcdSlot
from hebat.serving import LoopbackServer
from keys.money import Rupiah
from terminals.fares import Place
from terminals.pump import Pump
from terminals.roles.conductor import Conductor
from terminals.roles.gate import Gate
from terminals.roles.kiosk import Kiosk
from terminals.roles.merchant import Merchant
from terminals.roles.validator import Validator
from terminals.screen.web import screen
from terminals.station import at_work
from terminals.terminal import Terminal
from tests.browser.conftest import PICTURES
from tests.card.pcscd import until
from tests.system.tears_city import BUSES, HANDHELD, KIOSKS, TILLS, Rig, check_laws, place_of
from tests.terminals.depot import Lasting
from tests.terminals.zones import zonal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from hebat.fleet import Post
    from hebat.issuing import Issued
    from terminals.roles.panel import Panel
    from terminals.station import Station
    from tests.card.pcscd import Pcscd

pytest_plugins = ["tests.card.pcscd_fixtures"]

SIZE: Final = {"width": 1024, "height": 600}
SHOWN_MS: Final = 60_000


@contextmanager
def shown(
    browser: Browser, rig: Rig, post: Post, panel: Callable[[Terminal], Panel]
) -> Iterator[tuple[Lasting, Page]]:
    """A terminal of the city with its screen in a browser; nothing on the page may fail."""
    terminal, ended = rig.terminal(post), threading.Event()
    station = Lasting(terminal, panel(terminal), Pump(terminal, rig.clock.now), rig.clock)
    wrong: list[str] = []
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    page.set_default_timeout(SHOWN_MS)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    with LoopbackServer(screen(station, ended)) as server:
        page.goto(server.address)
        page.wait_for_selector("body[data-word]")
        yield station, page
        ended.set()
        page.close()
    station.close()
    rig.receipted += terminal.outbox.next_sequence - 1 - terminal.outbox.waiting
    assert [
        said for said in wrong if "422" not in said
    ] == []  # an entry that was refused is no fault of the page


def says(page: Page, word: str, text: str, amount: str = "") -> None:
    """The board shows this, in words; its tone has a shape of its own."""
    expect(page.locator("body")).to_have_attribute("data-word", word, timeout=SHOWN_MS)
    expect(page.locator("#word")).to_have_text(text)
    expect(page.locator("#amount")).to_have_text(amount)
    tone = page.locator("body").get_attribute("data-tone")
    expect(page.locator(f"#shape-{tone}")).to_be_visible()


def picture(page: Page, name: str) -> None:
    """Keep what the page looks like, where pictures are asked for."""
    png = page.screenshot()
    assert len(png) > 8_000, "a board is no blank picture"
    if os.environ.get("HEBAT_PICTURES"):
        PICTURES.joinpath(f"terminal-{name}.png").write_bytes(png)


def test_a_bus_takes_cards_that_come_and_go_in_a_real_reader(
    browser: Browser, rig: Rig, pcscd: Pcscd
) -> None:
    rider, poor = rig.loaded(1, Rupiah(20_000)), rig.loaded(1, Rupiah(1_000))
    first, second = next(rider).chip, next(poor).chip
    with shown(browser, rig, BUSES[0], lambda bus: Validator(bus, place_of(bus, 7))) as (station, page):
        says(page, "hold-card", "Tempelkan kartu", "Rp3.500")
        with at_work(station, pcsc):
            with VpcdSlot(first, pcscd.port):
                says(page, "paid", "Lunas", "Rp3.500")
                expect(page.locator("#balance")).to_have_text("Sisa saldo Rp16.500")
                expect(page.locator("#letter")).to_have_text("U")
                picture(page, "validator")
            until(lambda: not station.present, "the card has left", pcscd)
            station.let_go()
            says(page, "hold-card", "Tempelkan kartu", "Rp3.500")
            with VpcdSlot(second, pcscd.port):
                says(page, "short", "Saldo kurang")
                picture(page, "short")
            until(
                lambda: not station.present, "the card has left", pcscd
            )  # pcscd itself looks only now and then
            with VpcdSlot(first, pcscd.port):
                says(page, "passback", "Kartu baru saja dipakai di sini")
            pcscd.kill()
            says(page, "reader-gone", "Pembaca kartu terlepas")
            pcscd.start()
            says(page, "hold-card", "Tempelkan kartu", "Rp3.500")
    first.leave_field()
    assert rig.cards[0].chip_balance == 16_500
    rig.upload(BUSES[0])
    check_laws(rig)


GATED: Final = zonal(gated=frozenset({"city"}))
WAY_IN: Final = Place("1", "Terminal Mangkang", 1, 1, BUSES[0].number)
WAY_OUT: Final = Place("1", "Simpang Lima", 1, 3, BUSES[1].number)


def gate(place: Place, *, exits: bool = False) -> Callable[[Terminal], Panel]:
    """A gate of a network whose rides are tapped in and out."""
    return lambda one: Gate(Terminal(replace(one._parts, tariff=GATED)), place, exits=exits)


def test_a_gate_says_the_most_on_the_way_in_and_the_fare_and_the_rest_on_the_way_out(
    browser: Browser, rig: Rig
) -> None:
    rider, hurried = rig.loaded(2, Rupiah(20_000))
    with shown(browser, rig, BUSES[0], gate(WAY_IN)) as (station, page):
        says(page, "hold-card-in", "Masuk: tempelkan kartu")
        station.tapped(rider.chip)
        says(page, "gone-in", "Silakan masuk")
        expect(page.locator("#rows")).to_contain_text("Ongkos paling banyakRp9.000")
        picture(page, "gate-in")
        page.keyboard.press("1")
        says(page, "hold-card-out", "Keluar: tempelkan kartu")
    rig.wait(1_800)
    with shown(browser, rig, BUSES[1], gate(WAY_OUT, exits=True)) as (station, page):
        rider.chip.leave_field()
        station.tapped(rider.chip)
        says(page, "gone-out", "Silakan keluar", "Rp5.000")
        expect(page.locator("#balance")).to_have_text("Sisa saldo Rp15.000")
        expect(page.locator("#rows")).to_contain_text("Rp4.000")
        picture(page, "gate-out")
        station.tapped(hurried.chip)
        says(page, "gone-out", "Silakan keluar", "Rp5.000")
        expect(page.locator("#rows")).to_contain_text("Belum tap masuk")
    rig.upload(BUSES[0], BUSES[1])
    check_laws(rig)


def test_a_conductor_opens_a_shift_takes_fares_inspects_and_cashes_up(browser: Browser, rig: Rig) -> None:
    card = next(rig.loaded(1, Rupiah(20_000))).chip
    with shown(browser, rig, HANDHELD, lambda one: Conductor(one, place_of(one, 7))) as (station, page):
        says(page, "no-shift", "Buka giliran kerja dulu")
        page.keyboard.press("Enter")
        page.fill("#value", "Kondektur 7")
        page.click("#ok")
        says(page, "hold-card", "Tempelkan kartu", "Rp3.500")
        station.tapped(card)
        says(page, "paid", "Lunas", "Rp3.500")
        page.click("[data-action=inspect]")
        says(page, "hold-card-inspect", "Tempelkan kartu untuk diperiksa", "Rp3.500")
        station.tapped(card)
        says(page, "paid-here", "Sudah bayar di sini")
        picture(page, "inspection")
        page.click("[data-action=cash]")
        says(page, "ask-cash", "Ambil tunai, lalu tekan Enter", "Rp4.000")
        page.keyboard.press("4")
        says(page, "ask-cash", "Ambil tunai, lalu tekan Enter", "Rp1.000")
        picture(page, "cash")
        page.set_viewport_size({"width": 360, "height": 740})
        for button in page.locator("#buttons button").all():
            expect(button).to_be_in_viewport(
                ratio=1
            )  # all classes, and what says that the cash is there, without scrolling
        assert page.evaluate(SMALL) == []
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        page.keyboard.press("Enter")
        says(page, "cash-taken", "Tunai dicatat", "Rp1.000")
        page.keyboard.press("F12")
        says(page, "shift-agrees", "Giliran ditutup, cocok dengan pembukuan", "Rp3.500")
        picture(page, "shift")
    check_laws(rig)


SMALL = """[...document.querySelectorAll("button")].map(one => [one.textContent, one.getBoundingClientRect()])
    .filter(([, box]) => box.width && Math.min(box.width, box.height) < 44).map(([text]) => text)"""
"""Buttons with a side under 44 pixels (WCAG 2.2, target size)."""


def test_a_shop_enters_a_price_by_touch_and_the_languages_change_at_once(browser: Browser, rig: Rig) -> None:
    card = next(rig.loaded(1, Rupiah(50_000))).chip
    with shown(browser, rig, TILLS[0], Merchant) as (station, page):
        page.click("[data-action=open-shift]")
        page.fill("#value", "Kasir 1")
        page.click("#ok")
        says(page, "enter-price", "Masukkan harga")
        page.click("[data-action=sale]")
        for key in ("2", "5", "000"):
            page.click(f"#keypad button:text-is('{key}')")
        picture(page, "price")
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate(SMALL) == [], "a thumb finds every button on a phone"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        page.click("#ok")
        says(page, "hold-card", "Tempelkan kartu", "Rp25.000")
        for language, text in (("jv", "Tempelna kertu"), ("en", "Hold your card here"), ("zh", "请刷卡")):
            page.click(f"#languages [lang={language}]")
            says(page, "hold-card", text, "Rp25.000")
            assert page.evaluate("document.documentElement.lang") == language
        picture(page, "chinese")
        station.tapped(card)
        says(page, "paid", "已付款", "Rp25.000")
        page.keyboard.press("F12")
        says(page, "shift-agrees", "已交班,账目相符", "Rp25.000")
    check_laws(rig)


def test_a_shop_takes_its_last_sale_back_and_gives_one_back_by_its_receipt(
    browser: Browser, rig: Rig
) -> None:
    issued = next(rig.loaded(1, Rupiah(50_000)))
    with shown(browser, rig, TILLS[0], Merchant) as (station, page):
        station.press("open-shift", "Kasir 1")
        page.click("[data-action=void]")
        expect(page.locator("#warnings")).to_contain_text("Tidak ada penjualan giliran ini")
        sold(station, issued, 25_000)
        page.keyboard.press("2")
        says(page, "hold-card-refund", "Tempelkan kartu yang membayar", "Rp25.000")
        picture(page, "void")
        issued.chip.leave_field()
        station.tapped(issued.chip)
        says(page, "refunded", "Uang dikembalikan", "Rp25.000")
        expect(page.locator("#balance")).to_have_text("Sisa saldo Rp50.000")
        sequence = sold(station, issued, 12_000)
        page.click("[data-action=refund]")
        page.fill("#value", "12")
        page.click("#ok")
        expect(page.locator("#wrong")).to_contain_text("Masukkan nomor seperti di struk")
        page.fill("#value", f"KSH-{TILLS[0].number}-{sequence}")
        page.click("#ok")
        says(page, "choose-reason", "Pilih alasan")
        picture(page, "reason")
        page.keyboard.press("1")
        says(page, "hold-card-refund", "Tempelkan kartu yang membayar")
        issued.chip.leave_field()
        station.tapped(issued.chip)
        says(page, "refunded", "Uang dikembalikan", "Rp12.000")
        page.keyboard.press("F12")
        says(page, "shift-agrees", "Giliran ditutup, cocok dengan pembukuan", "Rp0")
    check_laws(rig)


def sold(station: Station, issued: Issued, price: int) -> int:
    """The record of a sale at a till."""
    issued.chip.leave_field()
    station.press("sale", str(price))
    done = station.tapped(issued.chip)
    assert done.word == "paid"
    return done.sequence


def test_a_kiosk_shows_a_balance_and_loads_cash_through_the_ledger(browser: Browser, rig: Rig) -> None:
    issued = next(rig.loaded(1, Rupiah(20_000)))
    with shown(browser, rig, KIOSKS[0], lambda one: Kiosk(one, "https://kartu.example")) as (station, page):
        says(page, "hold-card-balance", "Tempelkan kartu untuk melihat saldo")
        station.tapped(issued.chip)
        says(page, "balance", "Saldo kartu")
        expect(page.locator("#balance")).to_have_text("Sisa saldo Rp20.000")
        expect(page.locator("#code svg")).to_be_visible()
        expect(page.locator("#code-word")).to_have_text("Pindai dengan ponsel: berlaku dua menit, satu kali")
        picture(page, "balance")
        page.click("[data-action=load-50000]")
        expect(page.locator("#code")).to_be_hidden()
        says(page, "hold-card-load", "Tempelkan kartu untuk diisi", "Rp50.000")
        picture(page, "kiosk")
        issued.chip.leave_field()
        board = station.tapped(issued.chip)
        assert (board.word, board.tone) == ("loaded", "green")
        says(page, "loaded", "Saldo terisi", "Rp50.000")
        expect(page.locator("#balance")).to_have_text("Sisa saldo Rp70.000")
        known = rig.city.registry.card(issued.uid)
        assert known is not None
        rig.city.blocks.block(known, "lost", rig.clock.now())
        page.keyboard.press("1")
        says(page, "hold-card-load", "Tempelkan kartu untuk diisi", "Rp10.000")
        issued.chip.leave_field()
        station.tapped(issued.chip)  # the kiosk has not heard of it: the ledger has, and locks the card
        says(page, "blocked", "Kartu diblokir")
        picture(page, "blocked")
        issued.chip.leave_field()
        station.tapped(issued.chip)  # now any look at the card tells
        says(page, "blocked", "Kartu diblokir")
    rig.upload(KIOSKS[0])
    check_laws(rig)
