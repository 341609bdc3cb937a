"""The engine against its own source un-jitted, and against a small model written apart from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.clock import UnixMs
from ledger import journal
from ledger.chart import Code, Partition, account_id
from ledger.engine import NOTHING, Balance, Engine, warm
from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW, Flag, Freshness, Result
from tests.ledger.entries import (
    CASH,
    DAY,
    FAR_OPERATOR,
    OPERATOR,
    PURSE,
    SUBSIDY,
    WALLET,
    transfer,
    unjitted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ledger.chart import AccountId
    from ledger.transfer import Transfer

    Rows = npt.NDArray[np.void]

SUM_MAX = 2**61
ACCOUNTS = [PURSE, WALLET, OPERATOR, CASH, FAR_OPERATOR]


def rows(*transfers: Transfer) -> Rows:
    return journal.rows_of(transfers, UnixMs(1_700_000_000_000), DAY)


def results(engine: Engine, *transfers: Transfer) -> list[Result]:
    return [Result(result) for result in engine.apply(rows(*transfers)).results.tolist()]


# --- the model -------------------------------------------------------------------------------------------------------


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


# --- the property ----------------------------------------------------------------------------------------------------

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


def outcomes_of(engine: Engine, batch: Rows) -> list[Outcome]:
    applied = engine.apply(batch)
    return [
        Outcome(Result(result), position, Freshness(fresh))
        for result, position, fresh in zip(*(column.tolist() for column in applied), strict=True)
    ]


def sums_of(engine: Engine) -> dict[int, tuple[int, ...]]:
    return {
        int(account): (one.debits_posted, one.credits_posted, one.debits_pending, one.credits_pending)
        for account, one in engine.balances().items()
    }


@settings(max_examples=120, deadline=None)
@given(batches())
def test_kernel_and_its_plain_source_and_the_model_agree_on_everything(made: list[Rows]) -> None:
    jitted, plain, model = Engine(), Engine(unjitted()), Model()
    for batch in made:
        expected = model.apply(list(batch))
        assert outcomes_of(jitted, batch) == expected
        assert outcomes_of(plain, batch) == expected
        assert sums_of(jitted) == sums_of(plain) == model.balances()
        pending = {position for position, held in model.holds.items() if held[0] == "pending"}
        assert {position for position in range(1, 60) if jitted.pending(position)} == pending
        assert {position for position in range(1, 60) if plain.pending(position)} == pending


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=20, max_size=40))
def test_law_03_a_streams_memory_is_exact_for_its_last_64_counters(steps: list[int]) -> None:
    engines, model, counter = (Engine(), Engine(unjitted())), Model(), 70
    for step in steps:
        counter = max(1, max(model.seen.get(0x04A1, {counter})) + step)
        batch = rows(transfer(uid=0x04A1, tmc=counter))
        expected = model.apply(list(batch))
        assert [outcomes_of(engine, batch) for engine in engines] == [expected, expected]


@settings(max_examples=40, deadline=None)
@given(batches())
def test_law_07_debits_equal_credits_at_every_prefix_of_the_journal(made: list[Rows]) -> None:
    engine = Engine()
    for batch in made:
        for row in batch.reshape(-1, 1):
            row["flags"] &= ~int(Flag.LINKED)
            engine.apply(row)
            balances = engine.balances().values()
            assert sum(one.debits_posted for one in balances) == sum(one.credits_posted for one in balances)
            assert sum(one.debits_pending for one in balances) == sum(one.credits_pending for one in balances)


@settings(max_examples=40, deadline=None)
@given(batches())
def test_law_08_an_engine_fed_with_the_journal_equals_the_one_that_wrote_it(made: list[Rows]) -> None:
    live = Engine()
    journalled = []
    for batch in made:
        positions = live.apply(batch).positions
        batch["position"] = positions
        journalled.append(batch[positions > 0])
    # Cut anew, so that chunks end inside of linked groups too.
    whole = np.concatenate(journalled)
    rebuilt = Engine()
    for start in range(0, len(whole), 3):
        rebuilt.replay(whole[start : start + 3])
    assert rebuilt.balances() == live.balances()
    assert rebuilt.next_position == live.next_position
    assert all(rebuilt.pending(at) == live.pending(at) for at in range(60))
    for uid in (0x04A1, 0x04A2):
        for tmc in range(500):
            assert rebuilt.freshness(uid=uid, tmc=tmc) == live.freshness(uid=uid, tmc=tmc)


# --- examples --------------------------------------------------------------------------------------------------------


def test_a_fare_moves_both_sides() -> None:
    engine = Engine()
    assert results(engine, transfer(amount=350_000)) == [Result.POSTED]
    assert engine.balance(PURSE) == Balance(debits_posted=transfer(amount=350_000).amount)
    assert engine.balance(OPERATOR).net(OPERATOR) == 350_000
    assert engine.balance(CASH) == NOTHING


def test_linked_transfers_stand_or_fall_together() -> None:
    engine = Engine()
    fare = transfer(PURSE, OPERATOR, 100_000, flags=Flag.LINKED)
    assert results(engine, fare, transfer(SUBSIDY, OPERATOR, 0)) == [
        Result.LINKED_FAILED,
        Result.AMOUNT_NOT_POSITIVE,
    ]
    assert engine.balances() == {}
    assert engine.next_position == 1
    assert results(engine, fare, transfer(SUBSIDY, OPERATOR, 250_000)) == [Result.POSTED, Result.POSTED]
    assert engine.balance(OPERATOR).credits_posted == 350_000


def test_a_group_that_never_ends_is_refused_whole() -> None:
    engine = Engine()
    fare = transfer(flags=Flag.LINKED)
    assert results(engine, fare, fare) == [Result.LINKED_FAILED, Result.LINKED_OPEN]


def test_law_05_a_purse_may_go_negative_and_a_wallet_may_not() -> None:
    engine = Engine()
    assert results(engine, transfer(PURSE, OPERATOR, 1)) == [Result.POSTED]
    assert results(engine, transfer(WALLET, OPERATOR, 1)) == [Result.EXCEEDS_CREDITS]
    assert engine.balance(PURSE).net(PURSE) == -1


def test_a_hold_on_a_wallet_cannot_be_spent_twice() -> None:
    engine = Engine()
    hold = transfer(WALLET, PURSE, 60, flags=Flag.PENDING)
    assert results(engine, transfer(CASH, WALLET, 100), hold, hold) == [
        Result.POSTED,
        Result.POSTED,
        Result.EXCEEDS_CREDITS,
    ]
    void = transfer(WALLET, PURSE, 60, flags=Flag.VOID_PENDING, hold=2)
    assert results(engine, void, hold) == [Result.POSTED, Result.POSTED]
    assert engine.pending(4)
    assert not engine.pending(2)


def test_a_hold_is_posted_once_and_only_as_it_was_made() -> None:
    engine = Engine()
    post = transfer(CASH, PURSE, 50, flags=Flag.POST_PENDING, hold=1)
    assert results(
        engine,
        transfer(CASH, PURSE, 50, flags=Flag.PENDING),
        transfer(CASH, PURSE, 49, flags=Flag.POST_PENDING, hold=1),
        transfer(CASH, OPERATOR, 50, flags=Flag.POST_PENDING, hold=1),
        post,
        post,
        transfer(CASH, PURSE, 50, flags=Flag.VOID_PENDING, hold=99),
    ) == [
        Result.POSTED,
        Result.HOLD_DIFFERS,
        Result.HOLD_DIFFERS,
        Result.POSTED,
        Result.HOLD_NOT_PENDING,
        Result.HOLD_UNKNOWN,
    ]
    assert engine.balance(CASH) == Balance(debits_posted=post.amount)


def test_partitions_are_never_crossed() -> None:
    assert results(Engine(), transfer(PURSE, FAR_OPERATOR)) == [Result.PARTITIONS_DIFFER]


def test_a_row_without_an_account_is_refused_and_opens_none() -> None:
    engine = Engine()
    row = rows(transfer())
    row["debit"] = 0
    assert engine.apply(row).results.tolist() == [Result.ACCOUNT_INVALID]
    row["debit"] = -5
    assert engine.apply(row).results.tolist() == [Result.ACCOUNT_INVALID]
    assert engine.balances() == {}


@pytest.mark.parametrize("amount", [SUM_MAX + 1, 2**63 - 1])
def test_no_sum_overflows(amount: int) -> None:
    engine = Engine()
    assert results(engine, transfer(amount=amount), transfer(amount=SUM_MAX), transfer(amount=1)) == [
        Result.OVERFLOW,
        Result.POSTED,
        Result.OVERFLOW,
    ]


@pytest.mark.parametrize(
    ("full", "more"),
    [((PURSE, OPERATOR), (PURSE, CASH)), ((PURSE, OPERATOR), (CASH, OPERATOR))],
    ids=["the debited side is full", "the credited side is full"],
)
def test_no_side_overflows_by_a_transfer_or_by_a_hold(
    full: tuple[AccountId, AccountId], more: tuple[AccountId, AccountId]
) -> None:
    engine = Engine()
    assert (
        results(engine, transfer(*more, 1, flags=Flag.PENDING), transfer(*full, SUM_MAX))
        == [Result.POSTED] * 2
    )
    before = engine.balances()
    post = transfer(*more, 1, flags=Flag.POST_PENDING, hold=1)
    assert results(engine, transfer(*more, 1), post) == [Result.OVERFLOW, Result.OVERFLOW]
    assert engine.balances() == before
    assert engine.pending(1)
    assert results(engine, transfer(*more, 1, flags=Flag.VOID_PENDING, hold=1)) == [Result.POSTED]


def test_a_hold_of_a_group_that_failed_never_was() -> None:
    engine = Engine()
    hold = transfer(CASH, PURSE, 5, flags=Flag.PENDING | Flag.LINKED)
    assert results(engine, hold, transfer(WALLET, PURSE, 5)) == [Result.LINKED_FAILED, Result.EXCEEDS_CREDITS]
    assert not engine.pending(1)
    post = transfer(CASH, PURSE, 5, flags=Flag.POST_PENDING, hold=1)
    assert results(engine, transfer(), post) == [Result.POSTED, Result.HOLD_UNKNOWN]


def test_law_03_a_counter_once_posted_is_never_called_fresh_again() -> None:
    engine = Engine()
    for tmc in (5, 70, 69, 6, 134, 7):
        engine.apply(rows(transfer(uid=0x04AABBCCDD0102, tmc=tmc)))
    said = {tmc: engine.freshness(uid=0x04AABBCCDD0102, tmc=tmc) for tmc in (5, 6, 7, 69, 70, 71, 134, 135)}
    assert said == {
        5: Freshness.TOO_OLD,
        6: Freshness.TOO_OLD,
        7: Freshness.TOO_OLD,
        69: Freshness.TOO_OLD,
        70: Freshness.TOO_OLD,
        71: Freshness.FRESH,
        134: Freshness.SEEN,
        135: Freshness.FRESH,
    }


def test_a_card_and_a_terminal_of_one_number_are_two_streams() -> None:
    engine = Engine()
    engine.apply(rows(transfer(uid=1001, tmc=5)))
    assert engine.freshness(terminal=1001, sequence=5) is Freshness.FRESH
    assert engine.freshness(uid=1001, tmc=5) is Freshness.SEEN


def test_a_refused_transfer_leaves_no_memory() -> None:
    engine = Engine()
    engine.apply(rows(transfer(WALLET, OPERATOR, 5, uid=9, tmc=1)))
    assert engine.freshness(uid=9, tmc=1) is Freshness.FRESH


def test_growth_loses_nothing() -> None:
    engine, count = Engine(), 5000
    purses = [account_id(Code.PURSE, Partition(3), number) for number in range(1, count + 1)]
    for start in range(0, count, 500):
        engine.apply(
            rows(
                *(
                    transfer(purse, OPERATOR, 1 + at, flags=Flag.PENDING, uid=0x04000000000000 + at, tmc=1)
                    for at, purse in enumerate(purses[start : start + 500], start)
                )
            )
        )
    engine.publish()
    assert [engine.committed(purse).debits_pending for purse in purses] == list(range(1, count + 1))
    assert all(engine.pending(position) for position in range(1, count + 1))
    assert engine.freshness(uid=0x04000000000000, tmc=1) is Freshness.SEEN
    assert engine.balance(OPERATOR).credits_pending == sum(range(1, count + 1))


def test_readers_see_what_is_published_and_no_more() -> None:
    engine = Engine()
    engine.apply(rows(transfer(amount=7)))
    assert engine.committed(PURSE) == NOTHING
    assert engine.committed_balances() == (0, {})
    engine.publish()
    assert engine.committed(PURSE).debits_posted == 7
    position, balances = engine.committed_balances()
    assert (position, set(balances)) == (1, {PURSE, OPERATOR})


def test_replay_names_the_position_that_does_not_post() -> None:
    batch = rows(transfer(), transfer(WALLET, OPERATOR, 5))
    batch["position"] = [1, 2]
    with pytest.raises(
        DatabaseDamaged, match=r"position 2 \(partition 3\) does not replay \(EXCEEDS_CREDITS\)"
    ):
        Engine().replay(batch)


def test_a_net_follows_the_normal_side() -> None:
    engine = Engine()
    engine.apply(rows(transfer(CASH, PURSE, 50)))
    assert engine.balance(CASH).net(CASH) == 50
    assert engine.balance(PURSE).net(PURSE) == 50


def test_warming_up_leaves_nothing_to_compile() -> None:
    warm()
    from ledger import kernel  # noqa: PLC0415  its signatures are looked at after warming

    assert all(
        getattr(kernel, name).signatures
        for name in ("apply", "publish", "rehash", "place_of", "freshness_of")
    )
