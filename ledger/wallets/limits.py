"""What a wallet may hold and take in a month: Bank Indonesia's limits as dated data, and the account rules that they make."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from keys.clock import day_of
from keys.money import Rupiah
from ledger.errors import WalletRefused
from ledger.rules import AccountRules, RuleFlag

if TYPE_CHECKING:
    from keys.clock import Day


@dataclass(frozen=True, slots=True)
class Limit:
    """From a day on, wallets hold at most `ceiling` and take in at most `monthly` in a calendar month (0: no limit)."""

    valid_from: date
    registered: bool
    ceiling: Rupiah
    monthly: Rupiah
    source: str


LIMITS: Final = (
    Limit(date(2018, 5, 4), False, Rupiah(2_000_000), Rupiah(0), "PBI 20/6/2018"),
    Limit(date(2018, 5, 4), True, Rupiah(10_000_000), Rupiah(20_000_000), "PBI 20/6/2018"),
    Limit(date(2022, 7, 1), True, Rupiah(20_000_000), Rupiah(40_000_000), "Bank Indonesia, from 2022-07-01"),
)


def limit_on(day: Day, *, registered: bool) -> Limit:
    """The limit in force on a day; raises WalletRefused before the first."""
    rows = [one for one in LIMITS if one.registered is registered and day_of(one.valid_from) <= day]
    if not rows:
        raise WalletRefused("no limit of wallets was in force on that day: look at the clock")
    return max(rows, key=lambda one: one.valid_from)


def rules_on(day: Day, *, registered: bool, flags: RuleFlag = RuleFlag.NONE) -> AccountRules:
    """A wallet's rules on a day: never overdrawn, within its limits, and with the flags that were set by people."""
    limit = limit_on(day, registered=registered)
    return AccountRules(RuleFlag.DEBITS_WITHIN_CREDITS | flags, limit.ceiling, limit.monthly)
