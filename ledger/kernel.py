"""The balance engine's kernel: one function applies a batch of transfers in order.

Plain integers and arrays only, so that numba compiles it; the same source un-jitted is the oracle in tests. No sum may pass
`SUM_MAX`, so no 64-bit integer here can overflow in either form. First every key of the batch is looked up (`locate`), so that the
processor waits for many memory cells at once; then the rows are applied one after the other, on cells that are near.
"""

from __future__ import annotations

from typing import Any

from ledger.cells import (
    ACCOUNT_WIDTH,
    AMOUNT,
    AT_CARD,
    AT_CREDIT,
    AT_DEBIT,
    AT_TERMINAL,
    BUSINESS_DATE,
    COMMITTED_WIDTH,
    CREDIT,
    CREDITS_PENDING,
    CREDITS_POSTED,
    DEBIT,
    DEBITS_PENDING,
    DEBITS_POSTED,
    EXPIRES_AT,
    FLAGS,
    HELD_AMOUNT,
    HELD_CREDIT,
    HELD_DEBIT,
    HELD_MONTH,
    HOLD,
    HOLD_PENDING,
    HOLD_POSTED,
    HOLD_VOIDED,
    INCOMING,
    MONTH,
    RECEIVED_AT,
    RESOLVED_AT,
    RULES,
    SAVED_HOLD,
    SAVED_STATE,
    SEQUENCE,
    STATE,
    SUMS,
    TERMINAL,
    TMC,
    UID,
)
from ledger.chart import Code
from ledger.compiled import compiled, inlined, unlocked
from ledger.places import opened, row_of, touch
from ledger.refusals import (
    CLOSED,
    CODE_SHIFT,
    HOLD_EXPIRED,
    PENDING,
    POSTED,
    REGISTER,
    RULES_CHANGE,
    WITHIN_CREDITS,
    against_rules,
    check,
    month_of,
    stopped,
)
from ledger.streams import freshness_of, mark
from ledger.transfer import Flag, Result

LINKED = int(Flag.LINKED)
POST_PENDING = int(Flag.POST_PENDING)
VOID_PENDING = int(Flag.VOID_PENDING)
PROVEN = int(Flag.PROVEN)

LINKED_FAILED = int(Result.LINKED_FAILED)
LINKED_OPEN = int(Result.LINKED_OPEN)
HOLD_UNKNOWN = int(Result.HOLD_UNKNOWN)
HOLD_NOT_PENDING = int(Result.HOLD_NOT_PENDING)
HOLD_DIFFERS = int(Result.HOLD_DIFFERS)
OVERFLOW = int(Result.OVERFLOW)

SUM_MAX = 1 << 61
"""No sum of an account may pass this: two of them, and an amount, still fit 64 bits."""
_PURSE, _WALLET = int(Code.PURSE), int(Code.WALLET)
_BLOCK = 256  # rows that are looked up at a time: what they need fits the nearest cache


@compiled
def gather(accounts: Any, touched: Any, shown: Any) -> None:
    """What readers are to see of these rows of accounts: their live sums and rules, a row each."""
    for at in range(len(touched)):
        for column in range(COMMITTED_WIDTH):
            shown[at, column] = accounts[touched[at], DEBITS_POSTED + column]


@compiled
def publish(committed: Any, touched: Any, shown: Any) -> None:
    """Show it to them."""
    for at in range(len(touched)):
        for column in range(COMMITTED_WIDTH):
            committed[touched[at], column] = shown[at, column]


@inlined
def account_of(index: Any, accounts: Any, account: Any) -> Any:
    """The row of an account, opened on first use with the rules of its kind; 0 for a number that names none."""
    if account <= 0:
        return 0
    used = accounts[0, 1]
    at = opened(index, accounts, account)
    if accounts[0, 1] != used:
        code = account >> CODE_SHIFT
        if code == _WALLET:
            accounts[at, RULES] = WITHIN_CREDITS
        elif code == REGISTER:
            accounts[at, RULES] = CLOSED
    return at


@compiled
def locate(
    rows: Any, first: Any, last: Any, located: Any, account_index: Any, accounts: Any, stream_index: Any, streams: Any
) -> Any:  # fmt: skip
    """Find or open the accounts and streams of rows first to last (not included)."""
    seen = touch(account_index, rows, DEBIT, first, last) ^ touch(stream_index, rows, UID, first, last)
    for at in range(first, last):
        located[at, AT_DEBIT] = account_of(account_index, accounts, rows[at, DEBIT])
        located[at, AT_CREDIT] = account_of(account_index, accounts, rows[at, CREDIT])
        located[at, AT_CARD] = opened(stream_index, streams, rows[at, UID]) if rows[at, UID] else 0
        terminal = rows[at, TERMINAL]
        if at > first and terminal == rows[at - 1, TERMINAL]:
            located[at, AT_TERMINAL] = located[at - 1, AT_TERMINAL]
        else:
            located[at, AT_TERMINAL] = opened(stream_index, streams, -terminal) if terminal else 0
    return seen


@inlined
def move(accounts: Any, debit: Any, credit: Any, amount: Any, side: Any, month: Any) -> None:
    """Add to both sides, to posted sums or to pending ones (`side`), and to what came in this month."""
    accounts[debit, side] += amount
    accounts[credit, side + 1] += amount
    if accounts[credit, MONTH] != month:
        accounts[credit, MONTH] = month
        accounts[credit, INCOMING] = 0
    accounts[credit, INCOMING] += amount


@inlined
def enter(
    rows: Any, at: Any, located: Any, accounts: Any, hold_index: Any, holds: Any, position: Any, month: Any, overruled: Any
) -> Any:  # fmt: skip
    """A new transfer or hold. What has happened already is entered against the rules too, and `overruled` says against which."""
    debit, credit = located[at, AT_DEBIT], located[at, AT_CREDIT]
    amount, flags = rows[at, AMOUNT], rows[at, FLAGS]
    pending = flags & PENDING
    side = DEBITS_PENDING if pending else DEBITS_POSTED
    room = SUM_MAX - amount
    if accounts[debit, side] > room or accounts[credit, side + 1] > room:
        return OVERFLOW
    reason = against_rules(accounts, debit, credit, amount, month)
    if reason != POSTED:
        # A purse lies on a card's chip: what it has paid, it has paid.
        if not flags & PROVEN and (pending or rows[at, DEBIT] >> CODE_SHIFT != _PURSE):
            return reason
        overruled[at] = reason
    if pending:
        held = opened(hold_index, holds, position)
        holds[held, STATE] = HOLD_PENDING
        holds[held, HELD_DEBIT] = rows[at, DEBIT]
        holds[held, HELD_CREDIT] = rows[at, CREDIT]
        holds[held, HELD_AMOUNT] = amount
        holds[held, EXPIRES_AT] = rows[at, HOLD]
        holds[held, HELD_MONTH] = month
    move(accounts, debit, credit, amount, side, month)
    return POSTED


@compiled
def resolve(
    rows: Any, at: Any, located: Any, accounts: Any, hold_index: Any, holds: Any, position: Any, overruled: Any
) -> Any:  # fmt: skip
    """Post the hold that a row names, whole or in part, or void it; the hold's own accounts must be the row's too."""
    held = row_of(hold_index, holds, rows[at, HOLD]) if rows[at, HOLD] > 0 else 0
    if not held or holds[held, STATE] == 0:
        return HOLD_UNKNOWN
    if holds[held, STATE] != HOLD_PENDING:
        return HOLD_NOT_PENDING
    debit, credit = located[at, AT_DEBIT], located[at, AT_CREDIT]
    amount, whole = rows[at, AMOUNT], holds[held, HELD_AMOUNT]
    post = rows[at, FLAGS] & POST_PENDING
    same_sides = holds[held, HELD_DEBIT] == rows[at, DEBIT] and holds[held, HELD_CREDIT] == rows[at, CREDIT]
    if not same_sides or amount > whole or (amount < whole and not post):
        return HOLD_DIFFERS
    if post:
        room = SUM_MAX - amount
        if accounts[debit, DEBITS_POSTED] > room or accounts[credit, CREDITS_POSTED] > room:
            return OVERFLOW
        expires_at = holds[held, EXPIRES_AT]
        reason = HOLD_EXPIRED if expires_at and rows[at, RECEIVED_AT] >= expires_at else POSTED
        if reason == POSTED:
            reason = stopped(accounts[debit, RULES], accounts[credit, RULES])
        if reason != POSTED and not rows[at, FLAGS] & PROVEN:
            return reason
        overruled[at] = reason
        accounts[debit, DEBITS_POSTED] += amount
        accounts[credit, CREDITS_POSTED] += amount
    accounts[debit, DEBITS_PENDING] -= whole
    accounts[credit, CREDITS_PENDING] -= whole
    if accounts[credit, MONTH] == holds[held, HELD_MONTH]:
        accounts[credit, INCOMING] -= whole - amount if post else whole
    # Its place first: a reader in another thread that meets the new state must know whether that is committed.
    holds[held, RESOLVED_AT] = position
    holds[held, STATE] = HOLD_POSTED if post else HOLD_VOIDED
    return POSTED


@inlined
def one(
    rows: Any, at: Any, located: Any, accounts: Any, hold_index: Any, holds: Any, position: Any, month: Any, overruled: Any
) -> Any:  # fmt: skip
    """Apply one transfer that would get this position."""
    wrong = check(rows, at)
    if wrong != POSTED:
        return wrong
    if rows[at, FLAGS] & (POST_PENDING | VOID_PENDING):
        return resolve(rows, at, located, accounts, hold_index, holds, position, overruled)
    if rows[at, FLAGS] & RULES_CHANGE:
        accounts[located[at, AT_DEBIT], RULES] = rows[at, HOLD]
        return POSTED
    return enter(rows, at, located, accounts, hold_index, holds, position, month, overruled)


@compiled
def save(rows: Any, at: Any, located: Any, saved: Any, accounts: Any, hold_index: Any, holds: Any) -> None:
    """Keep what a row of a linked group may change."""
    for column in range(ACCOUNT_WIDTH):
        saved[at, column] = accounts[located[at, AT_DEBIT], column]
        saved[at, ACCOUNT_WIDTH + column] = accounts[located[at, AT_CREDIT], column]
    resolves = rows[at, FLAGS] & (POST_PENDING | VOID_PENDING) and rows[at, HOLD] > 0
    held = row_of(hold_index, holds, rows[at, HOLD]) if resolves else 0
    saved[at, SAVED_HOLD] = held
    saved[at, SAVED_STATE] = holds[held, STATE]


@compiled
def restore(
    rows: Any, at: Any, located: Any, saved: Any, accounts: Any, hold_index: Any, holds: Any, position: Any
) -> None:
    """Put back what `save` kept; a hold that the row placed never was."""
    for column in range(ACCOUNT_WIDTH):
        accounts[located[at, AT_CREDIT], column] = saved[at, ACCOUNT_WIDTH + column]
        accounts[located[at, AT_DEBIT], column] = saved[at, column]
    if saved[at, SAVED_HOLD]:
        holds[saved[at, SAVED_HOLD], STATE] = saved[at, SAVED_STATE]
        holds[saved[at, SAVED_HOLD], RESOLVED_AT] = 0
    if rows[at, FLAGS] & PENDING:
        holds[row_of(hold_index, holds, position), STATE] = 0


@inlined
def group(
    rows: Any, first: Any, last: Any, located: Any, saved: Any, accounts: Any, hold_index: Any, holds: Any,
    position: Any, month: Any, overruled: Any,
) -> Any:  # fmt: skip
    """Apply rows first to last whole or not at all: the row that failed (-1: none) and why."""
    if rows[last, FLAGS] & LINKED:
        return last, LINKED_OPEN
    for at in range(first, last + 1):
        if last > first:
            save(rows, at, located, saved, accounts, hold_index, holds)
        reason = one(rows, at, located, accounts, hold_index, holds, position + at - first, month, overruled)
        if reason != POSTED:
            for back in range(at - 1, first - 1, -1):
                where = position + back - first
                restore(rows, back, located, saved, accounts, hold_index, holds, where)
                overruled[back] = POSTED
            return at, reason
    return -1, POSTED


@inlined
def tell(at: Any, located: Any, accounts: Any, balances: Any) -> None:
    """The four sums of both accounts of a row as they are now; of an account that does not exist, nothing."""
    debit, credit = located[at, AT_DEBIT], located[at, AT_CREDIT]
    for column in range(SUMS):
        balances[at, column] = accounts[debit, DEBITS_POSTED + column] if debit else 0
        balances[at, SUMS + column] = accounts[credit, DEBITS_POSTED + column] if credit else 0


@unlocked
def apply(
    rows: Any, results: Any, positions: Any, freshness: Any, overruled: Any, balances: Any, located: Any, saved: Any,
    account_index: Any, accounts: Any, hold_index: Any, holds: Any, stream_index: Any, streams: Any, position: Any,
) -> Any:  # fmt: skip
    """Apply rows (n, 16) in order, linked ones whole or not at all; returns the next free position.

    A row each of `results` (`Result`), `positions` (0 where not posted), `freshness` (the worse of the card's and the terminal's
    stream, as they stood before the row's group), `overruled` (`Result` of the rule that a proven row broke) and `balances` (n, 8;
    four sums of the debited account and of the credited one, right after the row's group) is filled.
    `position` is the next free one, from 1. The tables must have room for all that the rows may open.
    """
    day, month, first, known = -1, 0, 0, 0
    while first < len(rows):
        last = first
        while last < len(rows) - 1 and rows[last, FLAGS] & LINKED:
            last += 1
        while known <= last:
            block = min(known + _BLOCK, len(rows))
            locate(rows, known, block, located, account_index, accounts, stream_index, streams)
            known = block
        if rows[first, BUSINESS_DATE] != day:
            day = rows[first, BUSINESS_DATE]
            month = month_of(day)
        for at in range(first, last + 1):
            card = freshness_of(streams, located[at, AT_CARD], rows[at, TMC])
            record = freshness_of(streams, located[at, AT_TERMINAL], rows[at, SEQUENCE])
            freshness[at] = max(card, record)
        failed, reason = group(
            rows, first, last, located, saved, accounts, hold_index, holds, position, month, overruled
        )
        for at in range(first, last + 1):
            if failed >= 0:
                results[at] = reason if at == failed else LINKED_FAILED
            else:
                positions[at] = position
                position += 1
                mark(streams, located[at, AT_CARD], rows[at, TMC])
                mark(streams, located[at, AT_TERMINAL], rows[at, SEQUENCE])
            tell(at, located, accounts, balances)
        first = last + 1
    return position
