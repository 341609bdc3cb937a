"""Bank Indonesia's limits of what a card may hold, and take in, as rules of its purse's account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.layout import PURSE_LIMIT_REGISTERED, PURSE_LIMIT_UNREGISTERED
from keys.money import Rupiah, sen_of
from ledger.rules import UNIT, AccountRules, RuleFlag

if TYPE_CHECKING:
    from ledger.intake.cards.issued import Card

MONTHLY_LIMIT_REGISTERED: Final = Rupiah(40_000_000)
"""What may come onto a registered card in a calendar month (Bank Indonesia, from 2022-07-01)."""


def limits_of(card: Card, unsettled: int, flags: RuleFlag = RuleFlag.NONE) -> AccountRules:
    """Bank Indonesia's limits of a card, with the flags that its account has.

    What is held for its torn loads (sen) does not count yet: the card itself says what became of them before it takes another.
    """
    torn = Rupiah(UNIT * -(-unsettled // sen_of(UNIT)))
    if card.registered:
        return AccountRules(flags, Rupiah(PURSE_LIMIT_REGISTERED + torn), MONTHLY_LIMIT_REGISTERED)
    return AccountRules(flags, Rupiah(PURSE_LIMIT_UNREGISTERED + torn))
