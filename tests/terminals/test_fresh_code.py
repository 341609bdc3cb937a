"""The code that a kiosk shows after it looked at a card: a phone reads it, and the page behind it opens once, for two minutes, for that card alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import zxingcpp
from PIL import Image

from card import inspecting
from hebat.application import application
from hebat.cardholding import SignedCodes
from hebat.serving import LoopbackServer
from keys.clock import UnixMs
from keys.freshqr import GOOD_SECONDS, FreshQr
from keys.money import Rupiah
from terminals.roles.kiosk import Kiosk
from terminals.screen.code import QUIET, drawn
from tests.system.tears_city import KIOSKS, TILLS, Rig

if TYPE_CHECKING:
    from hebat.fleet import Post
    from hebat.issuing import Issued

PAGE = "https://kartu.example"
SQUARE = 4
"""Dots a side of one square, as a screen might show it."""


def painted(size: int, path: str) -> Image.Image:
    """What a browser paints of the path."""
    picture = Image.new("L", (size * SQUARE, size * SQUARE), 255)
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        left, top = SQUARE * int(x), SQUARE * int(y)
        picture.paste(0, (left, top, left + SQUARE * int(length), top + SQUARE))
    return picture


def code_of(rig: Rig, post: Post, card: Issued) -> str:
    """What a terminal signs after it looked at a card."""
    found = inspecting.inspected(card.chip, rig.city.vault)
    card.chip.leave_field()
    return rig.terminal(post).fresh_code(found)


def test_a_phone_reads_what_a_kiosk_shows_and_the_page_opens_once(rig: Rig) -> None:
    (card,) = rig.loaded(1, Rupiah(20_000))
    board = Kiosk(rig.terminal(KIOSKS[0]), f"{PAGE}/").card(card.chip)
    card.chip.leave_field()
    size, path = drawn(board.code)
    (found,) = zxingcpp.read_barcodes(
        painted(size, path), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    assert found.text == board.code
    assert found.text.startswith(f"{PAGE}/q/")
    assert size <= 49 + 2 * QUIET
    seen = FreshQr.read(found.text.removeprefix(f"{PAGE}/q/"))
    assert (seen.terminal, seen.card_number, seen.balance) == (3001, card.identity.card_number, 20_000)
    assert str(card.uid) not in found.text
    with LoopbackServer(application(rig.city)) as server:
        place = server.address + found.text.removeprefix(PAGE)
        with httpx2.Client(follow_redirects=True, timeout=60) as phone:
            opened = phone.get(place)
        with httpx2.Client(follow_redirects=True, timeout=60) as other:
            again = other.get(place)
            forged = other.get(place[:-1] + ("A" if place[-1] != "A" else "B"))
    assert (opened.status_code, "20.000" in opened.text) == (200, True)
    assert "20.000" not in again.text + forged.text
    assert again.status_code == forged.status_code != 200


def test_a_code_is_over_after_two_minutes_and_worth_nothing_from_a_till_or_a_revoked_kiosk(rig: Rig) -> None:
    (card,) = rig.loaded(1, Rupiah(20_000))
    codes, now = SignedCodes(rig.city.registry), rig.clock.now()
    code = code_of(rig, KIOSKS[0], card)
    ends = UnixMs(1000 * (now // 1000 + GOOD_SECONDS))
    assert codes.read(code, now) == (card.uid, ends)
    assert codes.read(code, ends) is None
    assert codes.read("A" * 154, now) is None
    # A till holds no key to read cards: it cannot have looked at one.
    assert codes.read(code_of(rig, TILLS[0], card), now) is None
    rig.city.registry.revoke(KIOSKS[0].number, now)
    assert codes.read(code, now) is None


def test_a_kiosk_that_knows_no_page_shows_no_code(rig: Rig) -> None:
    (card,) = rig.loaded(1, Rupiah(20_000))
    assert Kiosk(rig.terminal(KIOSKS[0])).card(card.chip).code == ""
