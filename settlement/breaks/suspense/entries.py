"""The entries of suspense, and those of proposals: which accounts a line or a difference moves. Pure.

Our account at a bank and its suspense account lie in partition 0. Money that came in and nobody knows is owed to somebody:
bank settlement > suspense. It leaves by the same entry turned round, or by one against the account that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.money import Sen
from ledger.chart import AccountId, Code, Partition, account_id
from ledger.transfer import Kind, Transfer

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs

_WHOLE: Final = Partition(0)


def bank_account(bank: int) -> AccountId:
    """Our account at a bank, in the partition where corrections stand."""
    return account_id(Code.BANK_SETTLEMENT, _WHOLE, bank)


def suspense_account(bank: int) -> AccountId:
    """The suspense account of a bank."""
    return account_id(Code.SUSPENSE, _WHOLE, bank)


def fee_account(bank: int) -> AccountId:
    """Fee income at a bank: what bears write-offs."""
    return account_id(Code.FEE_INCOME, _WHOLE, bank)


def sides(grows: AccountId, other: AccountId, amount: Sen) -> tuple[AccountId, AccountId, Sen]:
    """(debit, credit, amount > 0) of an entry that debits `grows` for a positive amount, and credits it for a negative one."""
    return (grows, other, amount) if amount > 0 else (other, grows, Sen(-amount))


def entry(debit: AccountId, credit: AccountId, amount: Sen, at: UnixMs, day: Day) -> Transfer:
    """A correction as a transfer."""
    return Transfer(debit, credit, amount, Kind.ADJUSTMENT, at, day)


def entering(bank: int, amount: Sen, at: UnixMs, day: Day) -> Transfer:
    """A line of a bank goes into suspense."""
    return entry(*sides(bank_account(bank), suspense_account(bank), amount), at, day)


def leaving(bank: int, amount: Sen, at: UnixMs, day: Day) -> Transfer:
    """It comes out again, because something of ours explains it."""
    return entry(*sides(suspense_account(bank), bank_account(bank), amount), at, day)
