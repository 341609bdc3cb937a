"""What a holder sees in a view: the card, and each of its taps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from keys.clock import local
from ledger.cardholder.answers import Answer, saved
from ledger.cardholder.disputes import Reason
from ledger.cardholder.picture import bars
from ledger.cardholder.receipts import fingerprint

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.room import Room
    from ledger.cardholder.shown import Shown, Tap
    from ledger.cardholder.views import View
    from ledger.intake.cards.issued import Card

RENDERED_MAX: Final = 1024
"""Pages whose upper part is kept: some 8 kB each."""
LAST_DIGITS: Final = 10_000
TMC_CHARS_MAX: Final = 10


class Holding:
    """Handlers of a view."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._rendered: dict[tuple[int, str], tuple[Shown, int, Markup]] = {}
        self._lock = threading.Lock()

    def card(self, asked: Asked) -> Answer:
        """The card: balance, what is under way, last taps, spending, transfers, validity."""
        found = self._room.viewed(asked)
        return self.closed(asked) if found is None else self.told(asked, *found)

    def told(self, asked: Asked, view: View, card: Card, message: str = "") -> Answer:
        """The same with a message above."""
        shown = self._room.reading.shown(card)
        html = self._room.templates.html(
            "card.html", asked.language, books=self._books(asked.language, shown, view.until), message=message,
            acts=acts_of(view, saving=self._room.savings is not None), key=self._room.views.form_key(asked.value), until=view.until,
        )  # fmt: skip
        return Answer(html)

    def _books(self, language: str, shown: Shown, until: UnixMs) -> Markup:
        """What the books say, rendered; the same again while the same is shown."""
        name, year = (shown.card.uid, language), local(until).year
        before = self._rendered.get(name)
        if before is not None and before[0] is shown and before[1] == year:
            return before[2]
        html = self._room.templates.html(
            "books.html", language, shown=shown, bars=bars(shown.months), until=until,
            last_digits=f"{shown.card.card_number % LAST_DIGITS:04}",
        )  # fmt: skip
        made = Markup(html.decode())  # noqa: S704  our own template's, escaped as it was rendered
        with self._lock:
            self._rendered.pop(name, None)
            self._rendered[name] = (shown, year, made)
            if len(self._rendered) > RENDERED_MAX:
                self._rendered.pop(next(iter(self._rendered)))
        return made

    def tap(self, asked: Asked, tmc: str) -> Answer:
        """One tap."""
        found = self._room.viewed(asked)
        if found is None:
            return self.closed(asked)
        tap = self.one(found[1], tmc)
        if tap is None:
            return self._room.said(asked, "no-tap", 404, back="/card")
        return self._receipt(asked, found[1], tap)

    def proof(self, asked: Asked, tmc: str) -> Answer:
        """The proof that a tap is in the books, for the holder: it names the card."""
        return self._proof(asked, tmc, named=True)

    def anonymous(self, asked: Asked, tmc: str) -> Answer:
        """The same to be shown to others: whose card it was is not in it."""
        return self._proof(asked, tmc, named=False)

    def _proof(self, asked: Asked, tmc: str, *, named: bool) -> Answer:
        found = self._room.viewed(asked)
        tap = None if found is None else self.one(found[1], tmc)
        if found is None or tap is None:
            return self.closed(asked)
        made = self._room.receipts.proof(found[1], tap.row.tmc, named=named)
        if made is None:
            return self._room.said(asked, "no-tap", 404, back="/card")
        return saved(made, "application/json", f"tap-{tap.row.tmc}.json")

    def _receipt(self, asked: Asked, card: Card, tap: Tap) -> Answer:
        """A proof is offered only where there is one: its day is closed."""
        receipts = self._room.receipts
        is_proven = receipts.proof(card, tap.row.tmc, named=False) is not None
        html = self._room.templates.html(
            "receipt.html", asked.language, tap=tap, proof_key=receipts.key.hex() if is_proven else "",
            finger=fingerprint(receipts.key), key=self._room.views.form_key(asked.value), reasons=[one.value for one in Reason],
        )  # fmt: skip
        return Answer(html, scripted=is_proven)

    def one(self, card: Card, tmc: str) -> Tap | None:
        """A card's tap by what an address says; None for none."""
        is_number = tmc.isascii() and tmc.isdigit() and len(tmc) <= TMC_CHARS_MAX
        return self._room.reading.tap(card, int(tmc)) if is_number else None

    def closed(self, asked: Asked) -> Answer:
        """There is no view, or it is over."""
        return self._room.said(asked, "closed", 403)


def acts_of(view: View, *, saving: bool = False) -> list[tuple[str, str]]:
    """What may be done from a card's page: path and message."""
    if not view.may_act:
        return []
    first = [("/card/saving", "act-saving")] if saving else []
    return [
        *first,
        ("/card/wallet", "act-wallet"),
        ("/card/load", "act-load"),
        ("/card/block", "act-block"),
        ("/card/data", "act-data"),
        ("/card/register", "act-register"),
    ]
