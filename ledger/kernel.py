"""The balance engine's kernel: one function applies a batch of transfers in order.

Plain integers and arrays only, so that numba compiles it; the same source un-jitted (`apply.py_func`) is the oracle in tests. Accounts and holds are found by
open addressing in arrays that the engine keeps at most half full.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ledger.transfer import Flag, Result

LINKED = int(Flag.LINKED)
PENDING = int(Flag.PENDING)
POST_PENDING = int(Flag.POST_PENDING)
VOID_PENDING = int(Flag.VOID_PENDING)

POSTED = int(Result.POSTED)
LINKED_FAILED = int(Result.LINKED_FAILED)
LINKED_OPEN = int(Result.LINKED_OPEN)
SAME_ACCOUNT = int(Result.SAME_ACCOUNT)
AMOUNT_NOT_POSITIVE = int(Result.AMOUNT_NOT_POSITIVE)
PARTITIONS_DIFFER = int(Result.PARTITIONS_DIFFER)
EXCEEDS_CREDITS = int(Result.EXCEEDS_CREDITS)
HOLD_UNKNOWN = int(Result.HOLD_UNKNOWN)
HOLD_NOT_PENDING = int(Result.HOLD_NOT_PENDING)
HOLD_DIFFERS = int(Result.HOLD_DIFFERS)
OVERFLOW = int(Result.OVERFLOW)

DEBITS_POSTED, CREDITS_POSTED, DEBITS_PENDING, CREDITS_PENDING = 0, 1, 2, 3
BALANCES = 4
HOLD_PENDING, HOLD_POSTED, HOLD_VOIDED = 1, 2, 3
SUM_MAX = 1 << 61
"""No balance may pass this: two sums of this size still fit 64 bits."""
DEBITS_WITHIN_CREDITS = 1
"""Account flag: debits, pending ones included, must not exceed posted credits."""
WALLET_CODE = 2
_PARTITION_SHIFT = 50
_PARTITION_MASK = 63
_CODE_SHIFT = 56
_SPREAD = 0x9E3779B97F4A7C15


@njit(cache=True)
def place_of(keys: Any, key: Any) -> Any:
    """Where a key stands in an open-addressing table, or the free place (0) where it would."""
    mask = len(keys) - 1
    at = np.int64((np.uint64(key) * np.uint64(_SPREAD)) >> np.uint64(20)) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def account_of(accounts: Any, balances: Any, flags: Any, account: Any) -> Any:
    """The place of an account, opened on first use with the flags of its kind."""
    at = place_of(accounts, account)
    if accounts[at] == 0:
        accounts[at] = account
        balances[at, :] = 0
        flags[at] = DEBITS_WITHIN_CREDITS if account >> _CODE_SHIFT == WALLET_CODE else 0
    return at


@njit(cache=True)
def check(debit: Any, credit: Any, amount: Any) -> Any:
    """What is wrong with a transfer whatever the balances are."""
    if debit == credit:
        return SAME_ACCOUNT
    if amount <= 0:
        return AMOUNT_NOT_POSITIVE
    if (debit >> _PARTITION_SHIFT) & _PARTITION_MASK != (credit >> _PARTITION_SHIFT) & _PARTITION_MASK:
        return PARTITIONS_DIFFER
    return POSTED


@njit(cache=True)
def move(balances: Any, flags: Any, debit: Any, credit: Any, amount: Any, pending: Any) -> Any:
    """Add to both sides, posted (0) or pending (2), where flags and sums allow."""
    room = SUM_MAX - amount
    if balances[debit, pending] > room or balances[credit, pending + 1] > room:
        return OVERFLOW
    used = balances[debit, DEBITS_POSTED] + balances[debit, DEBITS_PENDING]
    if flags[debit] & DEBITS_WITHIN_CREDITS and used + amount > balances[debit, CREDITS_POSTED]:
        return EXCEEDS_CREDITS
    balances[debit, pending] += amount
    balances[credit, pending + 1] += amount
    return POSTED


@njit(cache=True)
def resolve(balances: Any, debit: Any, credit: Any, amount: Any, held: Any, holds: Any, flag: Any) -> Any:
    """Post or void the hold at a place of the holds table; the hold's own accounts and amount must be named."""
    if holds[held, 0] == 0:
        return HOLD_UNKNOWN
    if holds[held, 1] != HOLD_PENDING:
        return HOLD_NOT_PENDING
    if holds[held, 2] != debit or holds[held, 3] != credit or holds[held, 4] != amount:
        return HOLD_DIFFERS
    balances[debit, DEBITS_PENDING] -= amount
    balances[credit, CREDITS_PENDING] -= amount
    if flag & POST_PENDING:
        if (
            balances[debit, DEBITS_POSTED] > SUM_MAX - amount
            or balances[credit, CREDITS_POSTED] > SUM_MAX - amount
        ):
            balances[debit, DEBITS_PENDING] += amount
            balances[credit, CREDITS_PENDING] += amount
            return OVERFLOW
        balances[debit, DEBITS_POSTED] += amount
        balances[credit, CREDITS_POSTED] += amount
        holds[held, 1] = HOLD_POSTED
    else:
        holds[held, 1] = HOLD_VOIDED
    return POSTED


@njit(cache=True)
def undo(row: Any, accounts: Any, balances: Any, hold_keys: Any, holds: Any, position: Any) -> None:
    """Take back a transfer of a linked group that failed later; exactly what `move` or `resolve` did."""
    debit, credit = place_of(accounts, row.debit), place_of(accounts, row.credit)
    if row.flags & (POST_PENDING | VOID_PENDING):
        held = place_of(hold_keys, row.hold)
        balances[debit, DEBITS_PENDING] += row.amount
        balances[credit, CREDITS_PENDING] += row.amount
        if row.flags & POST_PENDING:
            balances[debit, DEBITS_POSTED] -= row.amount
            balances[credit, CREDITS_POSTED] -= row.amount
        holds[held, 1] = HOLD_PENDING
        return
    pending = DEBITS_PENDING if row.flags & PENDING else DEBITS_POSTED
    balances[debit, pending] -= row.amount
    balances[credit, pending + 1] -= row.amount
    if row.flags & PENDING:
        # The key stays, since open addressing must not lose a place; a hold without state is unknown.
        holds[place_of(hold_keys, position), :] = 0


@njit(cache=True)
def one(row: Any, accounts: Any, balances: Any, flags: Any, hold_keys: Any, holds: Any, position: Any) -> Any:
    """Apply one transfer that would get this position."""
    wrong = check(row.debit, row.credit, row.amount)
    if wrong != POSTED:
        return wrong
    debit = account_of(accounts, balances, flags, row.debit)
    credit = account_of(accounts, balances, flags, row.credit)
    if row.flags & (POST_PENDING | VOID_PENDING):
        held = place_of(hold_keys, row.hold) if row.hold > 0 else np.int64(-1)
        if held < 0 or hold_keys[held] == 0:
            return HOLD_UNKNOWN
        return resolve(balances, debit, credit, row.amount, held, holds, row.flags)
    pending = DEBITS_PENDING if row.flags & PENDING else DEBITS_POSTED
    result = move(balances, flags, debit, credit, row.amount, pending)
    if result == POSTED and row.flags & PENDING:
        held = place_of(hold_keys, position)
        hold_keys[held] = position
        holds[held, 0] = position
        holds[held, 1] = HOLD_PENDING
        holds[held, 2] = debit
        holds[held, 3] = credit
        holds[held, 4] = row.amount
    return result


@njit(cache=True)
def apply(
    rows: Any,
    results: Any,
    positions: Any,
    accounts: Any,
    balances: Any,
    flags: Any,
    hold_keys: Any,
    holds: Any,
    position: Any,
) -> Any:
    """Apply rows in order, linked ones whole or not at all; returns the next free position.

    `results` and `positions` are filled a row each; a transfer that is not posted has position 0. `position` is the next free one, from 1.
    """
    start = 0
    count = len(rows)
    while start < count:
        end = start
        while end < count - 1 and rows[end].flags & LINKED:
            end += 1
        failed = -1
        reason = POSTED
        if rows[end].flags & LINKED:
            failed, reason = end, LINKED_OPEN
        first = position
        applied = start
        while failed < 0 and applied <= end:
            result = one(rows[applied], accounts, balances, flags, hold_keys, holds, position)
            if result == POSTED:
                positions[applied] = position
                results[applied] = POSTED
                position += 1
                applied += 1
            else:
                failed, reason = applied, result
        if failed >= 0:
            for back in range(applied - 1, start - 1, -1):
                undo(rows[back], accounts, balances, hold_keys, holds, positions[back])
            for at in range(start, end + 1):
                results[at] = reason if at == failed else LINKED_FAILED
                positions[at] = 0
            position = first
        start = end + 1
    return position
