"""Which plain records the writer may post by columns, when their batch's turn has come; all others are decided one by one, in their places.

Two records of one card are never decided in both ways: whatever happens to one of them may bear on the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from card.batch import TapRecord
from keys.clock import Day
from keys.money import SEN_PER_RUPIAH, Rupiah, sen_of
from ledger.intake.bounds import CLOCK_SECONDS_MAX
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.posting import service_days
from ledger.intake.examined import NO_TIME

if TYPE_CHECKING:
    import numpy.typing as npt

    from ledger.intake.bounds import Bounds
    from ledger.intake.examined import Examined
    from ledger.intake.intents import Intents
    from ledger.intake.memory import Memory
    from ledger.writer import Transaction

    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]


def sift(
    examined: Examined, before: Integers, bounds: Bounds, intents: Intents, memory: Memory, tx: Transaction
) -> Flags:
    """True for the records to post by columns; their sums are counted in `bounds`, their counters in `memory`.

    `before` is the time of the record before each one.
    """
    fast = examined.columns.plain & ~_doubted(examined, before, tx)
    open_uids = intents.uids()
    if open_uids:
        fast &= ~np.isin(examined.uids, open_uids)
    fast = _whole_cards(fast, examined.uids)
    fast &= _within_limit(examined, fast, bounds, intents, tx)
    columns = examined.columns
    memory.counters.read(examined.unread, examined.highest)
    fast = _whole_cards(fast & memory.counters.take(columns.places, columns.at[f.TMC], fast), examined.uids)
    _count(examined, fast, bounds, tx)
    return fast


def times_before(occurred_at: Integers, last: int) -> Integers:
    """For each record the time of the readable one before it; `last` for the first."""
    readable = occurred_at != NO_TIME
    earlier = np.concatenate([[last], occurred_at[readable]])
    if len(earlier) > len(occurred_at):
        return earlier[:-1]
    return earlier[np.cumsum(readable) - readable]  # type: ignore[no-any-return]


def _doubted(examined: Examined, before: Integers, tx: Transaction) -> Flags:
    """Records whose time `Bounds.time_doubts` would ask about."""
    at, allowed, sender = examined.occurred_at, 1000 * CLOCK_SECONDS_MAX, examined.sender
    inside = (sender.since <= at) & (at < sender.certificate.not_after)
    return (at > tx.received_at + allowed) | (at < before - allowed) | ~inside


def _whole_cards(fast: Flags, uids: Integers) -> Flags:
    """Without the cards of which some record is not among them."""
    if fast.all():
        return fast
    return fast & ~np.isin(uids, uids[~fast])


def _days(examined: Examined, chosen: Flags) -> tuple[list[int], list[int]]:
    """The service days of some plain records, and what was moved in each, in sen."""
    at = examined.columns.at
    on = service_days(at[f.SIGNED_AT, chosen])
    if len(on) and on.min() == on.max():
        return [int(on[0])], [int(at[f.PAID, chosen].sum()) * SEN_PER_RUPIAH]
    days, which = np.unique(on, return_inverse=True)
    moved = np.zeros(len(days), np.int64)
    np.add.at(moved, which.reshape(-1), at[f.PAID, chosen] * SEN_PER_RUPIAH)
    return days.tolist(), moved.tolist()


def _within_limit(examined: Examined, fast: Flags, bounds: Bounds, intents: Intents, tx: Transaction) -> bool:
    """True where no record of this batch, in whatever order, can bring its terminal beyond its limit of a service day."""
    terminal, limit = examined.frame.terminal, examined.sender.certificate.rights.daily_limit
    others = [one.record for one in examined.assessed.values() if isinstance(one.record, TapRecord)]
    waiting = [one for uid in set(examined.uids[~fast].tolist()) for one in intents.of(uid)]
    others += [one.record for one in waiting if one.terminal == terminal]
    beside = sen_of(Rupiah(sum(abs(record.amount) for record in others)))
    return all(
        bounds.moved(terminal, Day(day), tx) + amount + beside <= sen_of(limit)
        for day, amount in zip(*_days(examined, examined.columns.plain), strict=True)
    )


def _count(examined: Examined, fast: Flags, bounds: Bounds, tx: Transaction) -> None:
    for day, amount in zip(*_days(examined, fast), strict=True):
        bounds.count(examined.frame.terminal, Day(day), amount, tx)
