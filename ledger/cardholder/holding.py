"""What a holder sees in a view: the card, and each of its taps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.cardholder.answers import Answer
from ledger.cardholder.picture import bars

if TYPE_CHECKING:
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.reading import Tap
    from ledger.cardholder.room import Room
    from ledger.cardholder.views import View
    from ledger.intake.registry import Card

LAST_DIGITS: Final = 10_000
TMC_CHARS_MAX: Final = 10


class Holding:
    """Handlers of a view."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def card(self, asked: Asked) -> Answer:
        """The card: balance, what is under way, last taps, spending, transfers, validity."""
        found = self._room.viewed(asked)
        return self.closed(asked) if found is None else self.told(asked, *found)

    def told(self, asked: Asked, view: View, card: Card, message: str = "") -> Answer:
        """The same with a message above."""
        shown = self._room.reading.shown(card)
        html = self._room.templates.html(
            "card.html", asked.language, shown=shown, bars=bars(shown.months), message=message, acts=acts_of(view),
            last_digits=f"{card.card_number % LAST_DIGITS:04}", key=self._room.views.form_key(asked.value), until=view.until,
        )  # fmt: skip
        return Answer(html)

    def tap(self, asked: Asked, tmc: str) -> Answer:
        """One tap."""
        found = self._room.viewed(asked)
        if found is None:
            return self.closed(asked)
        tap = self.one(found[1], tmc)
        if tap is None:
            return self._room.said(asked, "no-tap", 404, back="/card")
        return Answer(self._room.templates.html("receipt.html", asked.language, tap=tap))

    def one(self, card: Card, tmc: str) -> Tap | None:
        """A card's tap by what an address says; None for none."""
        is_number = tmc.isascii() and tmc.isdigit() and len(tmc) <= TMC_CHARS_MAX
        return self._room.reading.tap(card, int(tmc)) if is_number else None

    def closed(self, asked: Asked) -> Answer:
        """There is no view, or it is over."""
        return self._room.said(asked, "closed", 403)


def acts_of(_view: View) -> list[tuple[str, str]]:
    """What may be done from a card's page: path and message."""
    return []
