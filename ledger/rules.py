"""What an account may do: flags and limits, packed into one integer that a journal row carries (docs/decisions/0018-account-rules.md).

bit 0..7    flags       `RuleFlag`
bit 8..33   ceiling     the balance that credits may reach, pending ones counted, in 1,000 rupiah; 0: none
bit 34..59  monthly     what may come in a calendar month of business dates, pending counted, in 1,000 rupiah; 0: no limit
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Final, Self

from keys.clock import service_day
from keys.money import Rupiah, Sen
from ledger.chart import Code, account_id, split
from ledger.errors import TransferInvalid
from ledger.transfer import Flag, Kind, Transfer

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from ledger.chart import AccountId

UNIT: Final = Rupiah(1000)
LIMIT_BITS: Final = 26
_FLAGS: Final = 63
CEILING_SHIFT: Final = 8
MONTHLY_SHIFT: Final = CEILING_SHIFT + LIMIT_BITS
LIMIT_MAX: Final = Rupiah(UNIT * ((1 << LIMIT_BITS) - 1))
"""No limit is over this many rupiah (67 thousand million); none at all is 0."""


class RuleFlag(IntFlag):
    """What is refused whatever the limits are (the first two after TigerBeetle's account flags)."""

    NONE = 0
    DEBITS_WITHIN_CREDITS = 1  # debits, pending ones included, must not exceed posted credits
    CREDITS_WITHIN_DEBITS = 2  # the reverse
    DEBITS_FROZEN = 4
    CREDITS_FROZEN = 8
    CLOSED = 16
    BLOCKED = 32  # its card is blocked: nothing new leaves; what was held before may go where it was held for


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The rules of an account; limits in whole thousands of rupiah, 0 where there is none."""

    flags: RuleFlag = RuleFlag.NONE
    ceiling: Rupiah = Rupiah(0)
    monthly: Rupiah = Rupiah(0)

    def packed(self) -> int:
        """As one integer; raises TransferInvalid for a limit that it cannot hold."""
        for limit in (self.ceiling, self.monthly):
            if limit % UNIT or not 0 <= limit <= LIMIT_MAX:
                raise TransferInvalid(f"a limit of {limit} rupiah: give whole thousands up to {LIMIT_MAX}")
        thousands = self.ceiling // UNIT << CEILING_SHIFT | self.monthly // UNIT << MONTHLY_SHIFT
        return int(self.flags) | thousands

    @classmethod
    def unpacked(cls, packed: int) -> Self:
        """From the integer."""
        limits = (packed >> shift & (1 << LIMIT_BITS) - 1 for shift in (CEILING_SHIFT, MONTHLY_SHIFT))
        ceiling, monthly = (Rupiah(UNIT * limit) for limit in limits)
        return cls(RuleFlag(packed & _FLAGS), ceiling, monthly)


def default_rules(account: AccountId) -> AccountRules:
    """What holds for an account before anybody changed it: a wallet cannot be overdrawn, the register takes no money."""
    return rules_of(split(account).code)


def rules_of(code: Code) -> AccountRules:
    """The same for a kind of account."""
    return _DEFAULTS.get(code, NO_RULES)


NO_RULES: Final = AccountRules()
_DEFAULTS: Final = {
    Code.WALLET: AccountRules(RuleFlag.DEBITS_WITHIN_CREDITS),
    Code.RULES: AccountRules(RuleFlag.CLOSED),
}


def change(account: AccountId, rules: AccountRules, at: UnixMs, flags: Flag = Flag.NONE) -> Transfer:
    """The journal's row that gives an account these rules from here on; no money moves."""
    register = account_id(Code.RULES, split(account).partition, 0)
    return Transfer(
        account, register, Sen(0), Kind.RULES, at, service_day(at), flags | Flag.RULES, hold=rules.packed()
    )
