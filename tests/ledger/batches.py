"""Batches that make the engine do all that it can: by hypothesis, and at random in great number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from keys.clock import Day
from ledger.chart import Code, Partition, account_id
from ledger.transfer import ROW, Flag, Kind
from tests.ledger.entries import CASH, DAY, FAR_OPERATOR, OPERATOR, PURSE, WALLET
from tests.ledger.model import SUM_MAX, Model

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

REGISTER = account_id(Code.RULES, Partition(3), 0)
ACCOUNTS = [PURSE, WALLET, OPERATOR, CASH, FAR_OPERATOR, REGISTER]
NOW = 1000
THOUSAND = 100_000  # sen
DAYS = [DAY, Day(DAY + 40), Day(DAY + 400)]
PACKED = [0, 1, 2, 4, 8, 16, 31, 32, 256, 2 << 8, 1 << 34, 2 << 34, 1 | 2 << 8 | 3 << 34, 2**60]
"""Rules: none, each flag, all, one too many, ceilings and months of 1 to 3 thousand rupiah, too large."""

AMOUNTS = st.one_of(
    st.integers(1, 6),
    st.sampled_from([-1, 0, THOUSAND - 1, THOUSAND, THOUSAND + 1, 2 * THOUSAND]),
    st.sampled_from([SUM_MAX - 3, SUM_MAX, SUM_MAX + 1, 2**63 - 1]),
)
FLAGS = st.sampled_from([0, 0, 0, 1, 1, 2, 2, 3, 4, 8, 6, 12, 16, 18, 32, 33, 34, 64])
STEPS = st.sampled_from([-65, -64, -63, -62, -2, -1, 0, 1, 1, 1, 2, 62, 63, 64, 65])
SOURCES = st.sampled_from(ACCOUNTS[:4] * 4 + ACCOUNTS)
KINDS = st.sampled_from([int(Kind.RULES)] * 7 + [int(Kind.SALE)])
LIFE = st.sampled_from([0, 0, -1, 1, 2, 3])


@st.composite
def batches(draw: st.DrawFn) -> list[Rows]:
    """Batches of rows over few accounts; the model says which holds are there to be met, and where counters stand."""
    model, made, now = Model(), [], NOW
    for day in sorted(draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=6))):
        batch = np.zeros(draw(st.integers(0, 8)), ROW)
        now += draw(st.integers(0, 2))
        batch["business_date"], batch["received_at"] = day, now
        for at, row in enumerate(batch):
            _any_row(draw, row, model, batch[:at], now)
            for stream, counter, choices in (
                ("uid", "tmc", [0, 0x04A1, 0x04A2]),
                ("terminal", "sequence", [0, 1001]),
            ):
                row[stream] = draw(st.sampled_from(choices))
                name = int(row[stream]) if stream == "uid" else -int(row[stream])
                row[counter] = max(0, model.highest.get(name, 70) + draw(STEPS))
        model.apply(batch)
        made.append(batch)
    return made


def _any_row(draw: st.DrawFn, row: np.void, model: Model, before: Rows, now: int) -> None:
    row["debit"], row["credit"], row["amount"] = draw(SOURCES), draw(SOURCES), draw(AMOUNTS)
    row["flags"], row["hold"] = draw(FLAGS), draw(st.integers(0, 12))
    if row["flags"] & Flag.PENDING:
        row["hold"] = max(0, draw(LIFE)) and now + draw(LIFE)
    choice = draw(st.integers(0, 5))
    if choice == 0:
        row["credit"], row["amount"], row["hold"] = REGISTER, 0, draw(st.sampled_from(PACKED))
        row["flags"], row["kind"] = draw(st.sampled_from([16, 16, 17, 48])), draw(KINDS)
    elif choice > 3:
        _meet_a_hold(draw, row, model, before)


def _meet_a_hold(draw: st.DrawFn, row: np.void, model: Model, before: Rows) -> None:
    """Make a row complete or void a hold of an earlier batch, or of this one if all before it post; often exactly."""
    holds = [(position, hold.debit, hold.credit, hold.amount) for position, hold in model.holds.items()] + [
        (model.position + at, int(one["debit"]), int(one["credit"]), int(one["amount"]))
        for at, one in enumerate(before)
        if one["flags"] & Flag.PENDING
    ]
    if not holds:
        return
    row["hold"], row["debit"], row["credit"], row["amount"] = draw(st.sampled_from(holds))
    row["flags"] = draw(st.sampled_from([4, 4, 5, 8, 8, 9, 36]))
    twist = draw(st.sampled_from(["", "", "", "", "debit", "credit", "more", "less"]))
    if twist in {"more", "less"}:
        row["amount"] += 1 if twist == "more" and row["amount"] < SUM_MAX else -1
    elif twist:
        row[twist] = draw(SOURCES)
