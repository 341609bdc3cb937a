"""What a holder may do in a view: block the card, report a problem, register, see and take away what is kept, have it forgotten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ledger.cardholder.answers import Answer, elsewhere, saved
from ledger.cardholder.disputes import Reason
from ledger.cardholder.export import exported
from ledger.cardholder.holders import Purpose, person
from ledger.cardholder.words import words
from ledger.errors import DisputeRefused, HolderRefused

if TYPE_CHECKING:
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.holding import Holding
    from ledger.cardholder.room import Room
    from ledger.intake.cards.issued import Card

NUMBER_CHARS_MAX: Final = 40


class Acts:
    """Handlers; what changes anything asks for a view by PIN and for the form's key."""

    def __init__(self, room: Room, holding: Holding) -> None:
        self._room = room
        self._holding = holding

    def block_form(self, asked: Asked) -> Answer:
        """What blocking means, and the button."""
        found = self.may(asked)
        return found if isinstance(found, Answer) else self.page(asked, "block.html", 200, card=found)

    def block(self, asked: Asked) -> Answer:
        """Block the card."""
        found = self.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        self._room.blocking.block(found)
        return elsewhere(asked, "/card")

    def report(self, asked: Asked, tmc: str) -> Answer:
        """Report a problem with a tap: any view may, for who holds the card has tapped it."""
        viewed = self._room.viewed(asked)
        if viewed is None:
            return self._holding.closed(asked)
        if not self._is_ours(asked):
            return self._room.said(asked, "foreign", 403, back="/card")
        card, tap = viewed[1], self._holding.one(viewed[1], tmc)
        if tap is None:
            return self._room.said(asked, "no-tap", 404, back="/card")
        try:
            reason = Reason(asked.form.get("reason", ""))
            number = self._room.disputes.open(card, tap.row.tmc, reason, asked.form.get("words", ""))
        except ValueError:
            return self._room.said(asked, "report-reason", 422, back=f"/card/taps/{tmc}")
        except DisputeRefused:
            return self._room.said(asked, "report-refused", 409, back=f"/card/taps/{tmc}")
        made = self._room.disputes.follow(number)
        return self.page(asked, "reported.html", 201, number=number, dispute=made)

    def follow(self, asked: Asked, number: str) -> Answer:
        """How a report stands, for whoever has its number."""
        late = self._room.unheard(asked)
        if late is not None:
            return late
        dispute = self._room.disputes.follow(number) if len(number) <= NUMBER_CHARS_MAX else None
        if dispute is None:
            self._room.failures.note(asked.address)
            return self._room.said(asked, "no-report", 404)
        return self.page(asked, "report.html", 200, dispute=dispute)

    def register_form(self, asked: Asked) -> Answer:
        """The form of registering."""
        found = self.may(asked)
        return found if isinstance(found, Answer) else self._register_page(asked, 200, "")

    def register(self, asked: Asked) -> Answer:
        """Register the card."""
        found = self.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        typed = asked.form
        purposes = [one for one in Purpose if typed.get(f"agree-{one.value}") == "yes"]
        try:
            who = person(typed.get("name", ""), typed.get("nik", ""), typed.get("phone", ""))
            self._room.holders.register(found, who, purposes)
        except HolderRefused as error:
            return self._register_page(asked, 422, error.field)
        return elsewhere(asked, "/card/data")

    def data(self, asked: Asked) -> Answer:
        """What is kept of the holder, why, and for how long."""
        found = self.may(asked)
        if isinstance(found, Answer):
            return found
        kept = self._room.holders.kept(found)
        return self.page(
            asked, "data.html", 200, card=found, kept=kept, disputes=self._room.disputes.of(found)
        )

    def take(self, asked: Asked) -> Answer:
        """All of it as a file."""
        found = self.may(asked)
        if isinstance(found, Answer):
            return found
        told = exported(self._room, found)
        return saved(
            json.dumps(told, indent=1, ensure_ascii=False).encode(), "application/json", "kartu.json"
        )

    def erase(self, asked: Asked) -> Answer:
        """Forget who holds the card."""
        found = self.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        self._room.holders.erase(found)
        return elsewhere(asked, "/card/data")

    def may(self, asked: Asked, *, form: bool = False) -> Card | Answer:
        """The card, where this view may act on it; else the answer that says why not."""
        viewed = self._room.viewed(asked)
        if viewed is None:
            return self._holding.closed(asked)
        if not viewed[0].may_act:
            return self._room.said(asked, "pin-needed", 403, back="/card")
        if form and not self._is_ours(asked):
            return self._room.said(asked, "foreign", 403, back="/card")
        return viewed[1]

    def _is_ours(self, asked: Asked) -> bool:
        return asked.is_own and self._room.views.is_form_key(asked.value, asked.form.get("key", ""))

    def _register_page(self, asked: Asked, status: int, wrong: str) -> Answer:
        said = words(asked.language).t(f"wrong-{wrong}") if wrong else ""
        return self.page(asked, "register.html", status, typed=asked.form, wrong=wrong, message=said)

    def page(self, asked: Asked, name: str, status: int, **told: object) -> Answer:
        """A page with the key that its forms carry."""
        key = self._room.views.form_key(asked.value)
        return Answer(self._room.templates.html(name, asked.language, key=key, **told), status)
