"""The ways in as pages: a scan of the printed code, its PIN, a terminal's code, a phone's tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from card.errors import TapRefused
from ledger.cardholder.answers import Answer, elsewhere
from ledger.cardholder.pages import link
from ledger.cardholder.pins import PIN_DIGITS, Tried
from ledger.cardholder.room import MINUTE_MS
from ledger.cardholder.views import Door
from ledger.cardholder.words import words

if TYPE_CHECKING:
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.pins import Try
    from ledger.cardholder.room import Room
    from ledger.intake.cards.issued import Card

TOKEN_CHARS_MAX: Final = 64


class Entry:
    """Handlers; each takes what was asked, and its address's parameter."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def home(self, asked: Asked) -> Answer:
        """The address without a card: how to come to one's own."""
        return self._room.said(asked, "home", 200)

    def nowhere(self, asked: Asked, rest: str) -> Answer:  # noqa: ARG002  whatever stands there
        """An address of ours at which no page is."""
        return self._room.said(asked, "nowhere", 404)

    def scan(self, asked: Asked, token: str) -> Answer:
        """What anybody sees who scans the printed code: status and band."""
        late = self._room.unheard(asked)
        if late is not None:
            return late
        card = self._card(token)
        if card is None:
            self._room.failures.note(asked.address)
            return self._room.said(asked, "unknown", 404)
        return self._scanned(asked, token, card)

    def pin(self, asked: Asked, token: str) -> Answer:
        """The PIN opens a view. For a token of no card it takes as long, and is told the same way as any unknown card."""
        late = self._room.unheard(asked)
        if late is not None:
            return late
        if not asked.is_own:
            return self._room.said(asked, "foreign", 403)
        card, pin = self._card(token), asked.form.get("pin", "").strip()
        if not (len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit()):
            return self._again(asked, token, card, words(asked.language).t("pin-form"), 422)
        tried = self._room.pins.attempt(card, pin)
        if tried.tried is Tried.RIGHT and card is not None:
            return self._opened(asked, card, Door.PIN)
        self._room.failures.note(asked.address)
        return self._again(asked, token, card, _why(asked, tried), 403 if tried.tried is Tried.WRONG else 429)

    def screen(self, asked: Asked, code: str) -> Answer:
        """The fresh code of a terminal's screen opens a view, once."""
        late = self._room.unheard(asked)
        if late is not None:
            return late
        try:
            return self._opened(asked, self._room.screens.card(code), Door.SCREEN)
        except TapRefused:
            return self._refused(asked)

    def phone(self, asked: Asked) -> Answer:
        """A card held to the phone opens a view, once a tap."""
        late = self._room.unheard(asked)
        if late is not None:
            return late
        try:
            return self._opened(asked, self._room.phones.card(f"?{asked.query}"), Door.PHONE)
        except TapRefused:
            return self._refused(asked)

    def leave(self, asked: Asked) -> Answer:
        """End the view; whoever takes the phone next sees nothing."""
        html = self._room.templates.html("message.html", asked.language, said="left", back="", text="")
        return Answer(html, more=self._room.outside.set_cookie(""))

    def manifest(self, asked: Asked, token: str) -> Answer:
        """What a phone needs to put the card's page on its home screen; it says nothing that the address does not say."""
        told = words(asked.language)
        said = {
            "name": "Kartu Semarang Hebat", "short_name": told.t("title"), "lang": told.html,
            "start_url": link(asked.language, f"/c/{token[:TOKEN_CHARS_MAX]}"), "scope": "/", "display": "standalone",
            "background_color": "#faf7f1", "theme_color": "#7d1530",
            "icons": [{"src": "/card/static/icon.svg", "sizes": "any", "type": "image/svg+xml"}],
        }  # fmt: skip
        return Answer(json.dumps(said).encode(), media_type="application/manifest+json")

    def _card(self, token: str) -> Card | None:
        return self._room.tokens.card(token[: TOKEN_CHARS_MAX + 1])

    def _opened(self, asked: Asked, card: Card, door: Door) -> Answer:
        value = self._room.views.made(card.uid, door)
        return elsewhere(asked, "/card", self._room.outside.set_cookie(value))

    def _refused(self, asked: Asked) -> Answer:
        """One sentence for whatever was wrong: who guesses learns nothing."""
        self._room.failures.note(asked.address)
        return self._room.said(asked, "tap-again", 403)

    def _again(self, asked: Asked, token: str, card: Card | None, message: str, status: int) -> Answer:
        if card is None:
            return self._room.said(asked, "unknown", 404)
        return self._scanned(asked, token, card, message, status)

    def _scanned(self, asked: Asked, token: str, card: Card, message: str = "", status: int = 200) -> Answer:
        found = self._room.reading.summary(card)
        html = self._room.templates.html(
            "scan.html", asked.language, token=token, low=found.low, high=found.high, blocked=found.blocked,
            message=message,
        )  # fmt: skip
        return Answer(html, status)


def _why(asked: Asked, tried: Try) -> str:
    said = words(asked.language)
    if tried.tried is Tried.WRONG:
        return said.t("pin-wrong")
    return said.t("pin-counter") if tried.is_for_good else said.n("pin-rests", -(-tried.wait_ms // MINUTE_MS))
