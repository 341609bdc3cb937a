"""What the engine must do, in dictionaries, and batches that make it do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ledger.chart import Code
from ledger.transfer import ROW, Flag, Freshness, Result
from tests.ledger.entries import CASH, FAR_OPERATOR, OPERATOR, PURSE, WALLET

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

SUM_MAX = 2**61
ACCOUNTS = [PURSE, WALLET, OPERATOR, CASH, FAR_OPERATOR]


class Outcome(NamedTuple):
    result: Result
    position: int
    freshness: Freshness


@dataclass
class Model:
    """Dictionaries and copies: what the engine must do, with no thought for speed."""

    sums: dict[int, list[int]] = field(default_factory=dict)
    holds: dict[int, tuple[str, int, int, int]] = field(default_factory=dict)
    seen: dict[int, set[int]] = field(default_factory=dict)
    position: int = 1

    def apply(self, batch: Sequence[np.void]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while batch:
            size = 1
            while size < len(batch) and batch[size - 1]["flags"] & Flag.LINKED:
                size += 1
            outcomes += self._group(batch[:size])
            batch = batch[size:]
        return outcomes

    def _group(self, group: Sequence[np.void]) -> list[Outcome]:
        fresh = [
            max(self._fresh(row["uid"], row["tmc"]), self._fresh(-row["terminal"], row["sequence"]))
            for row in group
        ]
        before = ({key: list(four) for key, four in self.sums.items()}, dict(self.holds), self.position)
        failed = len(group) - 1 if group[-1]["flags"] & Flag.LINKED else -1
        reason, done = Result.LINKED_OPEN, []
        if failed < 0:
            for at, row in enumerate(group):
                reason = self._one({name: int(row[name]) for name in ROW.names or ()})
                if reason is not Result.POSTED:
                    failed = at
                    break
                done.append(self.position)
                self.position += 1
        if failed >= 0:
            self.sums, self.holds, self.position = before
            return [
                Outcome(reason if at == failed else Result.LINKED_FAILED, 0, fresh[at])
                for at in range(len(group))
            ]
        for row in group:
            self.seen.setdefault(int(row["uid"]), set()).add(int(row["tmc"]))
            self.seen.setdefault(-int(row["terminal"]), set()).add(int(row["sequence"]))
        return [Outcome(Result.POSTED, position, fresh[at]) for at, position in enumerate(done)]

    def _fresh(self, stream: int, counter: int) -> Freshness:
        known = self.seen.get(int(stream), set()) if stream else set()
        if not known or counter > max(known):
            return Freshness.FRESH
        if max(known) - counter >= 64:
            return Freshness.TOO_OLD
        return Freshness.SEEN if int(counter) in known else Freshness.FRESH

    def _one(self, row: dict[str, int]) -> Result:
        debit, credit, amount, flags = row["debit"], row["credit"], row["amount"], Flag(row["flags"])
        phases = flags & (Flag.PENDING | Flag.POST_PENDING | Flag.VOID_PENDING)
        for wrong, result in (
            (debit == credit, Result.SAME_ACCOUNT),
            (amount <= 0, Result.AMOUNT_NOT_POSITIVE),
            (debit >> 50 & 63 != credit >> 50 & 63, Result.PARTITIONS_DIFFER),
            (phases not in (0, 2, 4, 8), Result.FLAGS_INVALID),
        ):
            if wrong:
                return result
        if phases in (Flag.POST_PENDING, Flag.VOID_PENDING):
            return self._resolve(row["hold"], debit, credit, amount, post=phases == Flag.POST_PENDING)
        left, right = self.sums.get(debit, [0] * 4), self.sums.get(credit, [0] * 4)
        place = 2 if phases else 0
        if max(left[place], right[place + 1]) + amount > SUM_MAX:
            return Result.OVERFLOW
        if debit >> 56 == Code.WALLET and left[0] + left[2] + amount > left[1]:
            return Result.EXCEEDS_CREDITS
        self._move(debit, credit, place, amount)
        if phases:
            self.holds[self.position] = ("pending", debit, credit, amount)
        return Result.POSTED

    def _resolve(self, hold: int, debit: int, credit: int, amount: int, *, post: bool) -> Result:
        if hold not in self.holds:
            return Result.HOLD_UNKNOWN
        state, *held = self.holds[hold]
        if state != "pending":
            return Result.HOLD_NOT_PENDING
        if held != [debit, credit, amount]:
            return Result.HOLD_DIFFERS
        if post:
            if max(self.sums[debit][0], self.sums[credit][1]) + amount > SUM_MAX:
                return Result.OVERFLOW
            self._move(debit, credit, 0, amount)
        self._move(debit, credit, 2, -amount)
        self.holds[hold] = ("posted" if post else "voided", debit, credit, amount)
        return Result.POSTED

    def _move(self, debit: int, credit: int, place: int, amount: int) -> None:
        self.sums.setdefault(debit, [0] * 4)[place] += amount
        self.sums.setdefault(credit, [0] * 4)[place + 1] += amount

    def balances(self) -> dict[int, tuple[int, ...]]:
        return {key: tuple(four) for key, four in self.sums.items() if any(four)}


AMOUNTS = st.one_of(st.integers(1, 6), st.sampled_from([-1, 0, SUM_MAX - 3, SUM_MAX, SUM_MAX + 1, 2**63 - 1]))
FLAGS = st.sampled_from([0, 0, 0, 1, 1, 2, 2, 3, 4, 8, 6, 12])
STEPS = st.sampled_from([-65, -64, -63, -62, -2, -1, 0, 1, 1, 1, 2, 62, 63, 64, 65])
SOURCES = st.sampled_from(ACCOUNTS[:4] * 2 + ACCOUNTS)


@st.composite
def batches(draw: st.DrawFn) -> list[Rows]:
    """Batches of rows over few accounts; the model says which holds are there to be met, and where counters stand."""
    model, made = Model(), []
    for _ in range(draw(st.integers(1, 6))):
        batch = np.zeros(draw(st.integers(0, 8)), ROW)
        for at, row in enumerate(batch):
            row["debit"], row["credit"], row["amount"] = draw(SOURCES), draw(SOURCES), draw(AMOUNTS)
            row["flags"], row["hold"] = draw(FLAGS), draw(st.integers(0, 12))
            if draw(st.booleans()):
                _meet_a_hold(draw, row, model, batch[:at])
            for stream, counter, choices in (
                ("uid", "tmc", [0, 0x04A1, 0x04A2]),
                ("terminal", "sequence", [0, 1001]),
            ):
                row[stream] = draw(st.sampled_from(choices))
                name = int(row[stream]) if stream == "uid" else -int(row[stream])
                row[counter] = max(0, max(model.seen.get(name, {70})) + draw(STEPS))
        model.apply(list(batch))
        made.append(batch)
    return made


def _meet_a_hold(draw: st.DrawFn, row: np.void, model: Model, before: Rows) -> None:
    """Make a row complete or void a hold of an earlier batch, or of this one if all before it post; often exactly."""
    holds = [(position, *held[1:]) for position, held in model.holds.items()] + [
        (model.position + at, int(one["debit"]), int(one["credit"]), int(one["amount"]))
        for at, one in enumerate(before)
        if one["flags"] & Flag.PENDING
    ]
    if not holds:
        return
    row["hold"], row["debit"], row["credit"], row["amount"] = draw(st.sampled_from(holds))
    row["flags"] = draw(st.sampled_from([4, 4, 5, 8, 8, 9]))
    twist = draw(st.sampled_from(["", "", "", "", "debit", "credit", "amount"]))
    if twist == "amount":
        row["amount"] += 1 if row["amount"] < SUM_MAX else -1
    elif twist:
        row[twist] = draw(SOURCES)
