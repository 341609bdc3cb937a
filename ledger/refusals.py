"""What stands against a transfer: its own fields, the rules of its accounts, and the calendar month that it falls into.

Plain integers and arrays, as everything of the kernel: numba compiles it, Python runs the same source.
"""

from __future__ import annotations

from typing import Any

from ledger import rules
from ledger.cells import (
    AMOUNT,
    CREDIT,
    CREDITS_PENDING,
    CREDITS_POSTED,
    DEBIT,
    DEBITS_PENDING,
    DEBITS_POSTED,
    FLAGS,
    HOLD,
    INCOMING,
    KIND,
    MONTH,
    RECEIVED_AT,
    RULES,
)
from ledger.chart import Code
from ledger.compiled import inlined
from ledger.rules import RuleFlag
from ledger.transfer import Flag, Kind, Result

POSTED = int(Result.POSTED)
SAME_ACCOUNT = int(Result.SAME_ACCOUNT)
AMOUNT_NOT_POSITIVE = int(Result.AMOUNT_NOT_POSITIVE)
PARTITIONS_DIFFER = int(Result.PARTITIONS_DIFFER)
ACCOUNT_INVALID = int(Result.ACCOUNT_INVALID)
FLAGS_INVALID = int(Result.FLAGS_INVALID)
RULES_INVALID = int(Result.RULES_INVALID)
HOLD_EXPIRED = int(Result.HOLD_EXPIRED)
EXCEEDS_CREDITS = int(Result.EXCEEDS_CREDITS)
EXCEEDS_DEBITS = int(Result.EXCEEDS_DEBITS)
IS_DEBITS_FROZEN = int(Result.DEBITS_FROZEN)
IS_CREDITS_FROZEN = int(Result.CREDITS_FROZEN)
ACCOUNT_CLOSED = int(Result.ACCOUNT_CLOSED)
IS_BLOCKED = int(Result.BLOCKED)
EXCEEDS_CEILING = int(Result.EXCEEDS_CEILING)
EXCEEDS_MONTH = int(Result.EXCEEDS_MONTH)

PENDING = int(Flag.PENDING)
RULES_CHANGE = int(Flag.RULES)
_PHASES = int(Flag.PENDING | Flag.POST_PENDING | Flag.VOID_PENDING | Flag.RULES)
_FLAGS_MAX = int(Flag.LINKED | Flag.PROVEN) | _PHASES

REGISTER = int(Code.RULES)
_OF_RULES = int(Kind.RULES)
CODE_SHIFT = 56
_PARTITION_SHIFT = 50
_PARTITION_MASK = 63

WITHIN_CREDITS = int(RuleFlag.DEBITS_WITHIN_CREDITS)
CLOSED = int(RuleFlag.CLOSED)
_WITHIN_DEBITS = int(RuleFlag.CREDITS_WITHIN_DEBITS)
_DEBITS_FROZEN = int(RuleFlag.DEBITS_FROZEN)
_CREDITS_FROZEN = int(RuleFlag.CREDITS_FROZEN)
_BLOCKED = int(RuleFlag.BLOCKED)
_ALL_FLAGS = sum(RuleFlag)
_FLAGS_ROOM = (1 << rules.CEILING_SHIFT) - 1
_CEILING_SHIFT, _MONTHLY_SHIFT = rules.CEILING_SHIFT, rules.MONTHLY_SHIFT
_LIMIT_MASK = (1 << rules.LIMIT_BITS) - 1
_LIMIT_UNIT = int(rules.UNIT) * 100  # sen
_RULES_MAX = 1 << (rules.MONTHLY_SHIFT + rules.LIMIT_BITS)


@inlined
def month_of(day: Any) -> Any:
    """The calendar month of a date (days since 1970-01-01), counted from year 0 (the proleptic Gregorian calendar's rule)."""
    shifted = day + 719_468  # days since 0000-03-01: the leap day ends the year
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return (year + era * 400) * 12 + (5 * of_year + 2) // 153 + 2


@inlined
def check_rules(rows: Any, at: Any) -> Any:
    """Whether a row that changes rules says so, moves nothing, is entered against the register, and holds rules that there are."""
    packed = rows[at, HOLD]
    said = rows[at, KIND] == _OF_RULES and rows[at, CREDIT] >> CODE_SHIFT == REGISTER
    good = said and rows[at, AMOUNT] == 0 and 0 <= packed < _RULES_MAX
    return POSTED if good and packed & _FLAGS_ROOM <= _ALL_FLAGS else RULES_INVALID


@inlined
def check_amount(rows: Any, at: Any) -> Any:
    """Whether a row moves something, and a hold does so before its time is over."""
    if rows[at, AMOUNT] <= 0:
        return AMOUNT_NOT_POSITIVE
    expires_at = rows[at, HOLD] if rows[at, FLAGS] & PENDING else 0
    return HOLD_EXPIRED if expires_at and expires_at <= rows[at, RECEIVED_AT] else POSTED


@inlined
def check(rows: Any, at: Any) -> Any:
    """What is wrong with a transfer whatever the balances are."""
    debit, credit, flags = rows[at, DEBIT], rows[at, CREDIT], rows[at, FLAGS]
    if debit <= 0 or credit <= 0:
        return ACCOUNT_INVALID
    if debit == credit:
        return SAME_ACCOUNT
    if ((debit ^ credit) >> _PARTITION_SHIFT) & _PARTITION_MASK:
        return PARTITIONS_DIFFER
    phases = flags & _PHASES
    if phases & (phases - 1) or flags < 0 or flags > _FLAGS_MAX:
        return FLAGS_INVALID
    return check_rules(rows, at) if phases == RULES_CHANGE else check_amount(rows, at)


@inlined
def stopped(debit_rules: Any, credit_rules: Any) -> Any:
    """Whether one of two accounts takes nothing at all."""
    if (debit_rules | credit_rules) & CLOSED:
        return ACCOUNT_CLOSED
    if debit_rules & _DEBITS_FROZEN:
        return IS_DEBITS_FROZEN
    return IS_CREDITS_FROZEN if credit_rules & _CREDITS_FROZEN else POSTED


@inlined
def over_limits(accounts: Any, credit: Any, amount: Any, month: Any) -> Any:
    """Whether an account may not take so much more: by what it owes back, by its ceiling, or by its month."""
    allowed = accounts[credit, RULES]
    came = accounts[credit, CREDITS_POSTED] + accounts[credit, CREDITS_PENDING]
    if allowed & _WITHIN_DEBITS and came > accounts[credit, DEBITS_POSTED] - amount:
        return EXCEEDS_DEBITS
    ceiling = ((allowed >> _CEILING_SHIFT) & _LIMIT_MASK) * _LIMIT_UNIT
    if ceiling and came - accounts[credit, DEBITS_POSTED] > ceiling - amount:
        return EXCEEDS_CEILING
    monthly = ((allowed >> _MONTHLY_SHIFT) & _LIMIT_MASK) * _LIMIT_UNIT
    before = accounts[credit, INCOMING] if accounts[credit, MONTH] == month else 0
    return EXCEEDS_MONTH if monthly and before > monthly - amount else POSTED


@inlined
def against_rules(accounts: Any, debit: Any, credit: Any, amount: Any, month: Any) -> Any:
    """Which rule of its accounts a new transfer or hold breaks; amounts that wait count as if they had come."""
    debit_rules, credit_rules = accounts[debit, RULES], accounts[credit, RULES]
    if not debit_rules | credit_rules:
        return POSTED
    reason = stopped(debit_rules, credit_rules)
    if reason != POSTED:
        return reason
    if debit_rules & _BLOCKED:
        return IS_BLOCKED
    if debit_rules & WITHIN_CREDITS:
        used = accounts[debit, DEBITS_POSTED] + accounts[debit, DEBITS_PENDING]
        if used > accounts[debit, CREDITS_POSTED] - amount:
            return EXCEEDS_CREDITS
    return over_limits(accounts, credit, amount, month)
