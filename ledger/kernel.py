"""The balance engine's kernel: one function applies a batch of transfers in order.

Plain integers and arrays only, so that numba compiles it; the same source un-jitted is the oracle in tests. No sum may pass
`SUM_MAX`, so no 64-bit integer here can overflow in either form. Accounts, holds and streams are found by open addressing in
arrays that the engine keeps at most half full; key 0 marks a free place.
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
ACCOUNT_INVALID = int(Result.ACCOUNT_INVALID)
FLAGS_INVALID = int(Result.FLAGS_INVALID)

# Columns of an account: four live sums, its flags, and the four sums that readers see (as of the last commit).
DEBITS_POSTED, CREDITS_POSTED, DEBITS_PENDING, CREDITS_PENDING, FLAGS, COMMITTED = 0, 1, 2, 3, 4, 5
ACCOUNT_WIDTH = 9
# Columns of a hold.
STATE, HELD_DEBIT, HELD_CREDIT, HELD_AMOUNT = 0, 1, 2, 3
HOLD_WIDTH = 4
HOLD_PENDING, HOLD_POSTED, HOLD_VOIDED = 1, 2, 3
# Columns of a stream: the highest counter posted, and which of the 64 counters up to it were.
HIGHEST, BITMAP = 0, 1
STREAM_WIDTH = 2
WINDOW = 64
FRESH, SEEN, TOO_OLD = 0, 1, 2

SUM_MAX = 1 << 61
"""No sum of an account may pass this: two of them, and an amount, still fit 64 bits."""
DEBITS_WITHIN_CREDITS = 1
"""Account flag: debits, pending ones included, must not exceed posted credits."""
WALLET_CODE = 2
_PARTITION_SHIFT = 50
_PARTITION_MASK = 63
_CODE_SHIFT = 56
_LOW = 0x7FFF_FFFF
_SPREAD_LOW = (
    0x61C8_8647  # 2^32 less 2^32 over the golden ratio: Knuth's multiplicative hash, kept under 2^31
)
_SPREAD_HIGH = 0x2545_F491


@njit(cache=True)
def place_of(keys: Any, key: Any) -> Any:
    """Where a key stands in an open-addressing table, or the free place (0) where it would."""
    mask = len(keys) - 1
    at = ((((key & _LOW) * _SPREAD_LOW) ^ (((key >> 31) & _LOW) * _SPREAD_HIGH)) >> 13) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def rehash(keys: Any, values: Any, new_keys: Any, new_values: Any) -> None:
    """Carry every key and its columns over into a larger table."""
    for old in range(len(keys)):
        if keys[old] != 0:
            new = place_of(new_keys, keys[old])
            new_keys[new] = keys[old]
            new_values[new, :] = values[old, :]


@njit(cache=True)
def gather(keys: Any, values: Any, accounts: Any, sums: Any) -> None:
    """Copy the live sums of accounts into `sums`, a row each; zeros for one that is not there."""
    for row in range(len(accounts)):
        at = place_of(keys, accounts[row])
        for column in range(FLAGS):
            sums[row, column] = values[at, column]


@njit(cache=True)
def publish(keys: Any, values: Any, accounts: Any, sums: Any) -> None:
    """Show readers these sums of these accounts."""
    for row in range(len(accounts)):
        at = place_of(keys, accounts[row])
        for column in range(FLAGS):
            values[at, COMMITTED + column] = sums[row, column]


@njit(cache=True)
def freshness_of(stream_keys: Any, streams: Any, stream: Any, counter: Any) -> Any:
    """Whether a counter of a stream was posted before: FRESH is certain, SEEN and TOO_OLD are candidates."""
    if stream == 0:
        return FRESH
    at = place_of(stream_keys, stream)
    if stream_keys[at] == 0 or counter > streams[at, HIGHEST]:
        return FRESH
    age = streams[at, HIGHEST] - counter
    if age >= WINDOW:
        return TOO_OLD
    return SEEN if (streams[at, BITMAP] >> age) & 1 else FRESH


@njit(cache=True)
def mark(stream_keys: Any, streams: Any, stream: Any, counter: Any) -> None:
    """Remember a posted counter of a stream."""
    if stream == 0:
        return
    at = place_of(stream_keys, stream)
    if stream_keys[at] == 0:
        stream_keys[at] = stream
        streams[at, HIGHEST] = counter
        streams[at, BITMAP] = 1
        return
    ahead = counter - streams[at, HIGHEST]
    if ahead > 0:
        streams[at, BITMAP] = (streams[at, BITMAP] << ahead) | 1 if ahead < WINDOW else 1
        streams[at, HIGHEST] = counter
    elif -ahead < WINDOW:
        streams[at, BITMAP] |= np.int64(1) << -ahead


@njit(cache=True)
def account_of(accounts: Any, sums: Any, account: Any) -> Any:
    """The place of an account, opened on first use with the flags of its kind."""
    at = place_of(accounts, account)
    if accounts[at] == 0:
        accounts[at] = account
        sums[at, FLAGS] = DEBITS_WITHIN_CREDITS if account >> _CODE_SHIFT == WALLET_CODE else 0
    return at


@njit(cache=True)
def check(row: Any) -> Any:
    """What is wrong with a transfer whatever the balances are."""
    if row["debit"] <= 0 or row["credit"] <= 0:
        return ACCOUNT_INVALID
    if row["debit"] == row["credit"]:
        return SAME_ACCOUNT
    if row["amount"] <= 0:
        return AMOUNT_NOT_POSITIVE
    if (row["debit"] >> _PARTITION_SHIFT) & _PARTITION_MASK != (
        row["credit"] >> _PARTITION_SHIFT
    ) & _PARTITION_MASK:
        return PARTITIONS_DIFFER
    two_phase = row["flags"] & (PENDING | POST_PENDING | VOID_PENDING)
    if two_phase & (two_phase - 1):
        return FLAGS_INVALID
    return POSTED


@njit(cache=True)
def move(sums: Any, debit: Any, credit: Any, amount: Any, pending: Any) -> Any:
    """Add to both sides, posted (0) or pending (2), where flags and sums allow."""
    room = SUM_MAX - amount
    if sums[debit, pending] > room or sums[credit, pending + 1] > room:
        return OVERFLOW
    used = sums[debit, DEBITS_POSTED] + sums[debit, DEBITS_PENDING]
    if sums[debit, FLAGS] & DEBITS_WITHIN_CREDITS and used > sums[debit, CREDITS_POSTED] - amount:
        return EXCEEDS_CREDITS
    sums[debit, pending] += amount
    sums[credit, pending + 1] += amount
    return POSTED


@njit(cache=True)
def resolve(row: Any, sums: Any, debit: Any, credit: Any, hold_keys: Any, holds: Any) -> Any:
    """Post or void the hold that a row names; the hold's own accounts and amount must be its own too."""
    held = place_of(hold_keys, row["hold"])
    if row["hold"] <= 0 or hold_keys[held] == 0 or holds[held, STATE] == 0:
        return HOLD_UNKNOWN
    if holds[held, STATE] != HOLD_PENDING:
        return HOLD_NOT_PENDING
    amount = row["amount"]
    same_sides = holds[held, HELD_DEBIT] == row["debit"] and holds[held, HELD_CREDIT] == row["credit"]
    if not same_sides or holds[held, HELD_AMOUNT] != amount:
        return HOLD_DIFFERS
    if row["flags"] & POST_PENDING:
        room = SUM_MAX - amount
        if sums[debit, DEBITS_POSTED] > room or sums[credit, CREDITS_POSTED] > room:
            return OVERFLOW
        sums[debit, DEBITS_POSTED] += amount
        sums[credit, CREDITS_POSTED] += amount
    sums[debit, DEBITS_PENDING] -= amount
    sums[credit, CREDITS_PENDING] -= amount
    holds[held, STATE] = HOLD_POSTED if row["flags"] & POST_PENDING else HOLD_VOIDED
    return POSTED


@njit(cache=True)
def undo(row: Any, accounts: Any, sums: Any, hold_keys: Any, holds: Any, position: Any) -> None:
    """Take back a transfer of a linked group that failed later: exactly what `move` or `resolve` did."""
    debit, credit, amount = place_of(accounts, row["debit"]), place_of(accounts, row["credit"]), row["amount"]
    if row["flags"] & (POST_PENDING | VOID_PENDING):
        if row["flags"] & POST_PENDING:
            sums[debit, DEBITS_POSTED] -= amount
            sums[credit, CREDITS_POSTED] -= amount
        sums[debit, DEBITS_PENDING] += amount
        sums[credit, CREDITS_PENDING] += amount
        holds[place_of(hold_keys, row["hold"]), STATE] = HOLD_PENDING
        return
    pending = DEBITS_PENDING if row["flags"] & PENDING else DEBITS_POSTED
    sums[debit, pending] -= amount
    sums[credit, pending + 1] -= amount
    if row["flags"] & PENDING:
        # The key stays, since open addressing must not lose a place; a hold without state is unknown.
        holds[place_of(hold_keys, position), :] = 0


@njit(cache=True)
def one(row: Any, accounts: Any, sums: Any, hold_keys: Any, holds: Any, position: Any) -> Any:
    """Apply one transfer that would get this position."""
    wrong = check(row)
    if wrong != POSTED:
        return wrong
    debit = account_of(accounts, sums, row["debit"])
    credit = account_of(accounts, sums, row["credit"])
    if row["flags"] & (POST_PENDING | VOID_PENDING):
        return resolve(row, sums, debit, credit, hold_keys, holds)
    pending = DEBITS_PENDING if row["flags"] & PENDING else DEBITS_POSTED
    result = move(sums, debit, credit, row["amount"], pending)
    if result == POSTED and row["flags"] & PENDING:
        held = place_of(hold_keys, position)
        hold_keys[held] = position
        holds[held, STATE] = HOLD_PENDING
        holds[held, HELD_DEBIT] = row["debit"]
        holds[held, HELD_CREDIT] = row["credit"]
        holds[held, HELD_AMOUNT] = row["amount"]
    return result


@njit(cache=True)
def group_end(rows: Any, start: Any) -> Any:
    """The last row of the linked group that begins here; a lone transfer is a group of one."""
    end = start
    while end < len(rows) - 1 and rows[end]["flags"] & LINKED:
        end += 1
    return end


@njit(cache=True)
def group(
    rows: Any, start: Any, end: Any, accounts: Any, sums: Any, hold_keys: Any, holds: Any, position: Any
) -> Any:
    """Apply rows start to end whole or not at all: the row that failed (-1: none) and why."""
    if rows[end]["flags"] & LINKED:
        return end, LINKED_OPEN
    for at in range(start, end + 1):
        reason = one(rows[at], accounts, sums, hold_keys, holds, position + at - start)
        if reason != POSTED:
            for back in range(at - 1, start - 1, -1):
                undo(rows[back], accounts, sums, hold_keys, holds, position + back - start)
            return at, reason
    return -1, POSTED


@njit(cache=True, nogil=True)
def apply(
    rows: Any,
    results: Any,
    positions: Any,
    freshness: Any,
    accounts: Any,
    sums: Any,
    hold_keys: Any,
    holds: Any,
    stream_keys: Any,
    streams: Any,
    position: Any,
) -> Any:
    """Apply rows in order, linked ones whole or not at all; returns the next free position.

    A row each of `results` (`Result`), `positions` (0 where not posted) and `freshness` is filled: the worse of the card's and the
    terminal's stream, as they stood before the row's group. `position` is the next free one, from 1.
    """
    start = 0
    while start < len(rows):
        end = group_end(rows, start)
        for at in range(start, end + 1):
            card = freshness_of(stream_keys, streams, rows[at]["uid"], rows[at]["tmc"])
            record = freshness_of(stream_keys, streams, -rows[at]["terminal"], rows[at]["sequence"])
            freshness[at] = max(card, record)
        failed, reason = group(rows, start, end, accounts, sums, hold_keys, holds, position)
        for at in range(start, end + 1):
            if failed >= 0:
                results[at] = reason if at == failed else LINKED_FAILED
                positions[at] = 0
            else:
                results[at] = POSTED
                positions[at] = position
                position += 1
                mark(stream_keys, streams, rows[at]["uid"], rows[at]["tmc"])
                mark(stream_keys, streams, -rows[at]["terminal"], rows[at]["sequence"])
        start = end + 1
    return position
