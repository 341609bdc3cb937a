"""The page of the Saving pocket: what the bank said the linked account holds, orders in and out, consents given and ended. Behind the PIN throughout."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from keys.money import Rupiah, Sen, sen_of
from ledger.cardholder.acts import Acts
from ledger.cardholder.answers import Answer, elsewhere
from ledger.cardholder.savings import Consent, LinkState
from ledger.cardholder.words import words
from ledger.errors import SavingReason, SavingRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.cardholder.answers import Asked
    from ledger.cardholder.savings import Savings
    from ledger.intake.cards.issued import Card

ORDERS_SHOWN: Final = 10
DIGITS_MAX: Final = 12
ORDINAL_DIGITS_MAX: Final = 4
KEY_BYTES: Final = 6
_PATH: Final = "/card/saving"


class SavingActs(Acts):
    """Handlers of the page; each act asks for a view by PIN and for the form's key."""

    def saving(self, asked: Asked) -> Answer:
        """The page."""
        found = self.may(asked)
        return found if isinstance(found, Answer) else self._shown(asked, found, 200)

    def link(self, asked: Asked) -> Answer:
        """Link an account."""
        agreed = [one for one in Consent if asked.form.get(f"agree-{one.value}") == "yes"]
        bank, code = asked.form.get("bank", ""), asked.form.get("code", "").strip()
        return self._done(asked, lambda savings, card: savings.link(card, bank, code, agreed))

    def revoke(self, asked: Asked) -> Answer:
        """End a consent."""
        return self._done(asked, lambda savings, card: savings.revoke(card, _ordinal(asked)))

    def look(self, asked: Asked) -> Answer:
        """Ask the bank."""
        return self._done(asked, lambda savings, card: savings.look(card, _ordinal(asked)))

    def move(self, asked: Asked) -> Answer:
        """Money into the wallet, or back."""
        sign = -1 if asked.form.get("way") == "back" else 1
        key = asked.form.get("order", "")
        return self._done(
            asked, lambda savings, card: savings.move(card, _ordinal(asked), Sen(sign * _amount(asked)), key)
        )

    def number(self, asked: Asked) -> Answer:
        """Give the card a virtual account."""
        return self._done(asked, lambda savings, card: savings.number(card, asked.form.get("bank", "")))

    def _done(self, asked: Asked, act: Callable[[Savings, Card], object]) -> Answer:
        found = self.may(asked, form=True)
        if isinstance(found, Answer):
            return found
        savings = self._room.savings
        if savings is None:
            return self._room.said(asked, "no-saving", 404, back="/card")
        try:
            act(savings, found)
        except SavingRefused as error:
            return self._shown(asked, found, 409, words(asked.language).t(f"wrong-saving-{error.why.value}"))
        return elsewhere(asked, _PATH)

    def _shown(self, asked: Asked, card: Card, status: int, message: str = "") -> Answer:
        savings = self._room.savings
        if savings is None:
            return self._room.said(asked, "no-saving", 404, back="/card")
        links = [one for one in savings.of(card) if one.state is not LinkState.REFUSED]
        linked = {one.bank for one in links if one.state in {LinkState.ACTIVE, LinkState.ASKED}}
        numbers = savings.numbers(card)
        given = {bank for bank, _ in numbers}
        shown = self._room.reading.shown(card)
        return self.page(
            asked, "saving.html", status, links=links, orders=savings.orders(card)[:ORDERS_SHOWN], numbers=numbers, message=message,
            free=[one for one in savings.banks() if one[1] not in linked], unnumbered=[one for one in savings.banks() if one[1] not in given],
            consents=list(Consent), order=secrets.token_hex(KEY_BYTES), wallet=shown.wallet,
            held=shown.leaving + shown.ordered,
        )  # fmt: skip


def _ordinal(asked: Asked) -> int:
    said = asked.form.get("link", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= ORDINAL_DIGITS_MAX else 0


def _amount(asked: Asked) -> Sen:
    """Whole rupiah as people write them: "50000", "50.000", "Rp 50,000"."""
    digits = (
        asked.form.get("amount", "").strip().removeprefix("Rp").translate(str.maketrans("", "", " .,\u00a0"))
    )
    if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX and int(digits)):
        raise SavingRefused("an amount is whole rupiah, such as 50000", SavingReason.AMOUNT)
    return sen_of(Rupiah(int(digits)))
