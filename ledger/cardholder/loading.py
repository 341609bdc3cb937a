"""Loads from the wallet, as the holder orders them in a view: one now, or one each time that the card holds little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.money import Rupiah
from ledger.cardholder.answers import Answer, elsewhere
from ledger.cardholder.reading import wallet
from ledger.cardholder.words import words
from ledger.errors import WalletRefused
from ledger.orders.answers import available

if TYPE_CHECKING:
    from ledger.cardholder.acts import Acts
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.room import Room
    from ledger.intake.cards.issued import Card

AMOUNTS: Final = (10_000, 20_000, 50_000, 100_000, 200_000)
"""Rupiah to choose from."""
BELOW: Final = (5_000, 10_000, 20_000)
A_DAY: Final = 2
"""How often a day an automatic load may come."""
DIGITS_MAX: Final = 9
PATH: Final = "/card/load"


class Loading:
    """Handlers; all of them ask for a view by PIN."""

    def __init__(self, room: Room, acts: Acts) -> None:
        self._room = room
        self._acts = acts

    def form(self, asked: Asked) -> Answer:
        """What waits, and what can be ordered."""
        found = self._acts.may(asked)
        return found if isinstance(found, Answer) else self._told(asked, found)

    def order(self, asked: Asked) -> Answer:
        """Order a load now."""
        found = self._acts.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        try:
            self._room.loads.order(found, _chosen(asked, "amount", AMOUNTS))
        except WalletRefused:
            return self._refused(asked, found)
        return elsewhere(asked, PATH)

    def cancel(self, asked: Asked) -> Answer:
        """Take back what waits."""
        found = self._acts.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        if not self._room.loads.cancel(found):
            return self._refused(asked, found)
        return elsewhere(asked, PATH)

    def stand(self, asked: Asked) -> Answer:
        """Order for each time that the card holds little, or no more."""
        found = self._acts.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        below, amount = _chosen(asked, "below", BELOW), _chosen(asked, "amount", (0, *AMOUNTS))
        is_whole = bool(below) or asked.form.get("amount") == "0"
        if not is_whole:
            return self._refused(asked, found)
        self._room.loads.stand(found, below, amount, Rupiah(A_DAY * amount))
        return elsewhere(asked, PATH)

    def _refused(self, asked: Asked, card: Card) -> Answer:
        return self._told(asked, card, words(asked.language).t("load-refused"), 409)

    def _told(self, asked: Asked, card: Card, message: str = "", status: int = 200) -> Answer:
        loads = self._room.loads
        return self._acts.page(
            asked, "load.html", status, message=message, waiting=loads.waiting(card), standing=loads.standing(card),
            available=available(self._room.ledger.balance(wallet(card))), amounts=AMOUNTS, bounds=BELOW, a_day=A_DAY,
        )  # fmt: skip


def _chosen(asked: Asked, name: str, among: tuple[int, ...]) -> Rupiah:
    """One of the amounts that the form offers; 0 for anything else, which no order takes."""
    typed = asked.form.get(name, "")
    is_number = typed.isascii() and typed.isdigit() and len(typed) <= DIGITS_MAX
    return Rupiah(int(typed)) if is_number and int(typed) in among else Rupiah(0)
