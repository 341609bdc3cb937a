"""Random transfers in great number, the kernel against the model: every result, position, balance, rule and hold.

The default suite takes as many as fit a few seconds; `HEBAT_LONG=1` takes a million.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from keys.clock import UnixMs
from ledger.chart import Code, Partition, account_id
from ledger.engine import Engine
from ledger.rules import AccountRules, RuleFlag
from ledger.transfer import ROW, Flag, Kind, Result
from tests.ledger.entries import DAY
from tests.ledger.model import Model

if TYPE_CHECKING:
    import numpy.typing as npt

    from keys.money import Rupiah

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

LONG = os.environ.get("HEBAT_LONG") == "1"
TRANSFERS = 1_000_000 if LONG else 60_000
BATCH = 8_189
SIX = tuple(Partition(number) for number in (0, 1, 3))


def accounts() -> Integers:
    """Purses, wallets, merchants, operators and cash, in three partitions."""
    kinds = {
        Code.PURSE: 60,
        Code.WALLET: 60,
        Code.MERCHANT_PAYABLE: 8,
        Code.OPERATOR_PAYABLE: 2,
        Code.AGENT_CASH: 4,
    }
    made = [
        account_id(code, partition, 1 + number)
        for partition in SIX
        for code, count in kinds.items()
        for number in range(count)
    ]
    return np.array(made, np.int64)


def rules(random: np.random.Generator) -> int:
    thousands: list[Rupiah] = (1000 * random.choice([0, 0, 1, 2, 5, 40], 2)).tolist()
    flag = RuleFlag(int(random.choice([0, 0, 0, 1, 1, 2, 4, 8, 16, 32])))
    return AccountRules(flag, *thousands).packed()


def batch(random: np.random.Generator, model: Model, count: int, now: UnixMs, day: int) -> Rows:
    """Transfers, holds, ends of holds that are or were, changes of rules; many linked, some wrong."""
    rows, known = np.zeros(count, ROW), accounts()
    near = random.integers(0, len(known), count) // 134 * 134
    rows["debit"], rows["credit"] = (
        known[near + random.integers(0, 134, count)],
        known[near + random.integers(0, 134, count)],
    )
    far = random.random(count) < 0.01
    rows["credit"][far] = random.choice(known, far.sum())
    # Up to Rp1,000 mostly, so that limits of a few thousand are met.
    rows["amount"] = random.integers(0, 100_000, count) * (random.random(count) < 0.98)
    flags = [Flag.NONE, Flag.PENDING, Flag.POST_PENDING, Flag.VOID_PENDING, Flag.RULES, Flag.PROVEN, Flag(6)]
    rows["flags"] = random.choice(
        [int(flag) for flag in flags], count, p=[0.45, 0.2, 0.15, 0.1, 0.03, 0.06, 0.01]
    )
    rows["flags"] |= random.random(count) < 0.15  # linked
    rows["received_at"], rows["business_date"] = now, day
    pending = rows["flags"] & Flag.PENDING != 0
    rows["hold"][pending] = random.choice([0, now - 1, now + 1, now + 2, now + 40], pending.sum())
    meet_holds(random, rows, model)
    for at in np.flatnonzero(rows["flags"] & Flag.RULES):
        register = account_id(Code.RULES, Partition(int(rows["debit"][at]) >> 50 & 63), 0)
        rows["credit"][at], rows["amount"][at], rows["hold"][at] = register, 0, rules(random)
        rows["kind"][at] = Kind.RULES if random.random() < 0.98 else Kind.SALE
    rows["uid"] = random.integers(0, 40, count)
    rows["tmc"] = model.position // 80 + random.integers(0, 90, count)
    rows["terminal"], rows["sequence"] = (
        random.integers(0, 4, count),
        model.position // 4 + random.integers(0, 90, count),
    )
    return rows


def meet_holds(random: np.random.Generator, rows: Rows, model: Model) -> None:
    """Let rows that end a hold name one of the last thousand, mostly exactly."""
    ends = np.flatnonzero(rows["flags"] & (Flag.POST_PENDING | Flag.VOID_PENDING))
    held = list(model.holds.items())[-1000:]
    for at in ends if held else []:
        position, hold = held[random.integers(len(held))]
        rows["hold"][at], rows["debit"][at], rows["credit"][at] = position, hold.debit, hold.credit
        rows["amount"][at] = hold.amount - (random.random() < 0.2) * random.integers(-2, hold.amount)


def told(engine: Engine, rows: Rows) -> list[tuple[int, ...]]:
    applied = engine.apply(rows)
    columns = [*(column.tolist() for column in applied[:4]), applied.balances.tolist()]
    return [(*four, *sums) for *four, sums in zip(*columns, strict=True)]


def forget(model: Model) -> None:
    """Let go of what the engine may forget, so that both say the same of it."""
    for position in list(model.holds)[:-40_000]:
        if model.holds[position].state != "pending":
            del model.holds[position]
    for stream, seen in model.seen.items():
        model.seen[stream] = {counter for counter in seen if counter > model.highest[stream] - 70}


@pytest.mark.parametrize("seed", range(1))
def test_random_transfers_end_as_the_model_says_each_and_all(seed: int) -> None:
    random, engine, model = np.random.default_rng(seed), Engine(), Model()
    met: set[int] = set()
    for number, _ in enumerate(range(0, TRANSFERS, BATCH)):
        rows = batch(random, model, BATCH, UnixMs(1_000_000 + number), DAY + number * 3)
        expected = [
            (one.result, one.position, one.freshness, one.overruled, *one.balances)
            for one in model.apply(rows)
        ]
        found = told(engine, rows)
        wrong = [at for at in range(len(rows)) if found[at] != expected[at]]
        assert not wrong, (rows[wrong[0]], found[wrong[0]], expected[wrong[0]])
        met |= {one[0] for one in found}
        kept = engine.keep()
        table = {row[0]: row for row in kept.accounts.tolist()}
        assert {number: tuple(row[1:5]) for number, row in table.items() if any(row[1:5])} == model.balances()
        assert all(row[5] == model.account(number).rules for number, row in table.items())
        pending = {row[0] for row in kept.holds.tolist() if row[1] == 1}
        assert pending == model.pending()
        forget(model)
    # What the batches are made of meets every result but those of numbers that no journal row can hold.
    assert met == {int(result) for result in Result} - {Result.OVERFLOW, Result.ACCOUNT_INVALID}
