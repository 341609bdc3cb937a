"""The chart of accounts: which accounts there are, and how one 63-bit number names each.

    bit 62..56  code        what kind of account (`Code`)
    bit 55..50  partition   0..63, from the card number; other parties have one sub-account in each
    bit 49..0   number      card number without its check digit, or the party's number

A transfer's two accounts lie in one partition, so that a table distributed by partition never joins across.
"""

from __future__ import annotations

from enum import IntEnum, unique
from functools import lru_cache
from typing import NamedTuple, NewType

from ledger.errors import AccountUnknown

AccountId = NewType("AccountId", int)
Partition = NewType("Partition", int)

PARTITIONS = 64
_NUMBER_BITS = 50
_PARTITION_BITS = 6
DESCRIBED = 1 << 14
"""Accounts whose names are kept ready."""
_MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: Knuth's multiplicative hash


@unique
class Code(IntEnum):
    """Kinds of account; a liability grows by credits, an asset by debits."""

    PURSE = 1  # liability: value on a card's chip, as its evidence shows it
    WALLET = 2  # liability: value held in the ledger
    MERCHANT_PAYABLE = 3  # liability
    OPERATOR_PAYABLE = 4  # liability
    FEE_INCOME = 5  # income
    SUBSIDY_RECEIVABLE = 6  # asset: the city pays what a concession fare leaves
    AGENT_CASH = 7  # asset: cash that load agents hold for us
    BANK_SETTLEMENT = 8  # asset: our account at a partner bank
    SUSPENSE = 9  # liability, by bank: what a statement shows and nobody explains yet
    OPENING = 10  # equity: a card's value from before its history
    RULES = 11  # no money, ever: the register that changes of accounts' rules are entered against
    ISSUER_RECEIVABLE = 12  # asset: what an issuer owes for cards whose books it keeps itself
    INTERBANK = 13  # asset: between our accounts at two banks; zero once a window's net is settled
    CLEARING = 14  # liability: what is on its way between two partitions; a pair nets to zero


DEBIT_NORMAL = frozenset(
    {
        Code.SUBSIDY_RECEIVABLE, Code.AGENT_CASH, Code.BANK_SETTLEMENT, Code.ISSUER_RECEIVABLE, Code.INTERBANK,
    }
)  # fmt: skip


class AccountName(NamedTuple):
    """An account's number, taken apart."""

    code: Code
    partition: Partition
    number: int


def partition_of(number: int) -> Partition:
    """The partition of a card (its number without the check digit): spread evenly, fixed for ever."""
    return Partition(((number * _MULTIPLIER) & 0xFFFF_FFFF_FFFF_FFFF) >> 58)


def account_id(code: Code, partition: Partition, number: int) -> AccountId:
    """One integer for one account."""
    if not (0 <= partition < PARTITIONS and 0 <= number < 1 << _NUMBER_BITS):
        raise AccountUnknown(f"no account has partition {partition} and number {number}")
    return AccountId((code << (_NUMBER_BITS + _PARTITION_BITS)) | (partition << _NUMBER_BITS) | number)


def split(account: AccountId) -> AccountName:
    """Take an account's integer apart; raises AccountUnknown where it names none."""
    code, rest = divmod(account, 1 << (_NUMBER_BITS + _PARTITION_BITS))
    partition, number = divmod(rest, 1 << _NUMBER_BITS)
    try:
        return AccountName(Code(code), Partition(partition), number)
    except ValueError:
        raise AccountUnknown(f"{account} names no account: ask for one of the trial balance's") from None


def partition_in(account: AccountId) -> Partition:
    """The partition of an account that is one: cheaper than taking all of it apart."""
    return Partition((account >> _NUMBER_BITS) & (PARTITIONS - 1))


def purse(card_number: int) -> AccountId:
    """The purse account of a card, from its 16-digit number."""
    number = card_number // 10
    return account_id(Code.PURSE, partition_of(number), number)


def wallet(card_number: int) -> AccountId:
    """The wallet account of a card, from its 16-digit number; it lies beside the purse."""
    number = card_number // 10
    return account_id(Code.WALLET, partition_of(number), number)


def issuer_of(account: AccountId) -> int:
    """The issuer of a purse or wallet: digits 5 to 8 of the card number (9360 iiii nnnnnnn c)."""
    return split(account).number // 10_000_000 % 10_000


@lru_cache(DESCRIBED)
def describe(account: AccountId) -> str:
    """An account as people name it: "purse 936000090000001" or "operator payable 12/07"."""
    code, partition, number = split(account)
    label = code.name.lower().replace("_", " ")
    return f"{label} {number}" if code in {Code.PURSE, Code.WALLET} else f"{label} {number}/{partition:02d}"
