"""The engine against its own source un-jitted, and against a small model written apart from it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings

from keys.money import Rupiah
from ledger.balance import NOTHING, Balance
from ledger.chart import Code, Partition, account_id
from ledger.engine import Engine, warm
from ledger.errors import DatabaseDamaged
from ledger.rules import AccountRules, change
from ledger.transfer import Flag, Freshness, Result
from tests.ledger.applied import outcomes_of, results, rows
from tests.ledger.batches import batches
from tests.ledger.entries import (
    CASH,
    FAR_OPERATOR,
    OPERATOR,
    PURSE,
    SUBSIDY,
    WALLET,
    transfer,
    unjitted,
)
from tests.ledger.model import SUM_MAX, Model

if TYPE_CHECKING:
    import numpy.typing as npt

    from ledger.chart import AccountId

    Rows = npt.NDArray[np.void]


def state_of(engine: Engine) -> tuple[dict[int, tuple[int, ...]], dict[int, int], set[int]]:
    """Balances, rules and pending holds."""
    kept = engine.keep()
    sums = {row[0]: tuple(row[1:5]) for row in kept.accounts.tolist() if any(row[1:5])}
    rules = {row[0]: row[5] for row in kept.accounts.tolist()}
    pending = {row[0] for row in kept.holds.tolist() if row[1] == 1}
    assert {int(number): dataclasses.astuple(four) for number, four in engine.balances().items()} == sums
    return sums, rules, pending


def state_of_model(
    model: Model, rules: dict[int, int]
) -> tuple[dict[int, tuple[int, ...]], dict[int, int], set[int]]:
    """The same; an account that only refused rows named has the rules of its kind."""
    return model.balances(), {number: model.account(number).rules for number in rules}, model.pending()


@settings(max_examples=200, deadline=None)
@given(batches())
def test_kernel_and_its_plain_source_and_the_model_agree_on_everything(made: list[Rows]) -> None:
    jitted, plain, model = Engine(), Engine(unjitted()), Model()
    for batch in made:
        expected = model.apply(batch)
        # One that goes on from what another kept must be the same to the last limit.
        assert outcomes_of(Engine.of(jitted.keep()), batch) == expected
        assert outcomes_of(jitted, batch) == expected
        assert outcomes_of(plain, batch) == expected
        found = state_of(jitted)
        assert found == state_of(plain)
        assert found == state_of_model(model, found[1])


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
    for mine, theirs in zip(rebuilt.keep()[1:], live.keep()[1:], strict=True):
        assert sorted(mine.tolist()) == sorted(theirs.tolist())
    # And so does one that goes on from what another kept.
    again = Engine.of(live.keep())
    assert (again.balances(), again.committed.balances()) == (
        live.balances(),
        (live.next_position - 1, live.balances()),
    )
    assert state_of(again) == state_of(live)
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
        transfer(CASH, PURSE, 51, flags=Flag.POST_PENDING, hold=1),
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
    operators = [account_id(Code.OPERATOR_PAYABLE, Partition(number), 7) for number in range(64)]
    found = results(Engine(), *(transfer(PURSE, operator) for operator in operators))
    assert [number for number, result in enumerate(found) if result is Result.POSTED] == [3]
    assert set(found) == {Result.POSTED, Result.PARTITIONS_DIFFER}


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
    assert [engine.committed.balance(purse).debits_pending for purse in purses] == list(range(1, count + 1))
    assert all(engine.pending(position) for position in range(1, count + 1))
    assert engine.freshness(uid=0x04000000000000, tmc=1) is Freshness.SEEN
    assert engine.balance(OPERATOR).credits_pending == sum(range(1, count + 1))


def test_readers_see_what_is_published_and_no_more() -> None:
    engine = Engine()
    engine.apply(rows(transfer(amount=7)))
    assert engine.committed.balance(PURSE) == NOTHING
    assert engine.committed.balances() == (0, {})
    engine.publish()
    assert engine.committed.balance(PURSE).debits_posted == 7
    position, balances = engine.committed.balances()
    assert (position, set(balances)) == (1, {PURSE, OPERATOR})


@settings(max_examples=60, deadline=None)
@given(batches())
def test_totals_by_kind_of_account_are_the_sums_of_its_balances(made: list[Rows]) -> None:
    engine = Engine()
    for batch in made:
        engine.apply(batch)
    engine.publish()
    expected: dict[int, list[int]] = {}
    for account, balance in engine.balances().items():
        line = expected.setdefault(account >> 56, [0] * 5)
        for at, value in enumerate((1, *dataclasses.astuple(balance))):
            line[at] += value
    assert engine.committed.totals() == [(code, line[0], line[1:]) for code, line in sorted(expected.items())]


def test_totals_go_beyond_64_bits() -> None:
    engine = Engine()
    others = [account_id(Code.PURSE, Partition(3), number) for number in range(2000, 2005)]
    agents = [account_id(Code.AGENT_CASH, Partition(3), number) for number in range(5)]
    pairs = zip(agents, others, strict=True)
    assert set(results(engine, *(transfer(agent, purse, SUM_MAX) for agent, purse in pairs))) == {
        Result.POSTED
    }
    engine.publish()
    assert engine.committed.totals()[0] == (Code.PURSE, 5, [0, 5 * SUM_MAX, 0, 0])


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
    from ledger import kernel, places, streams  # noqa: PLC0415  their signatures are looked at after warming

    assert all(
        getattr(function, "signatures", ())
        for function in (kernel.apply, kernel.publish, places.grow, places.row_of, streams.freshness_of_all)
    )


def test_a_group_that_fails_gives_back_what_each_of_its_rows_did_to_one_account() -> None:
    engine = Engine()
    assert results(engine, transfer(CASH, WALLET, 5), transfer(CASH, WALLET, 7, flags=Flag.PENDING)) == [0, 0]
    before = engine.balances()
    group = [
        transfer(WALLET, OPERATOR, 1, flags=Flag.LINKED),
        transfer(CASH, WALLET, 7, flags=Flag.POST_PENDING | Flag.LINKED, hold=2),
        transfer(WALLET, OPERATOR, 3, flags=Flag.LINKED | Flag.PENDING),
        transfer(WALLET, OPERATOR, 9),
    ]
    assert results(engine, *group) == [Result.LINKED_FAILED] * 3 + [Result.EXCEEDS_CREDITS]
    assert engine.balances() == before
    assert engine.pending(2)


def test_a_capture_of_less_leaves_what_it_posted_in_the_sum_of_its_month() -> None:
    engine = Engine()
    limit = change(PURSE, AccountRules(monthly=Rupiah(1_000)), transfer().occurred_at)
    held = transfer(CASH, PURSE, 90_000, flags=Flag.PENDING)
    posted = transfer(CASH, PURSE, 60_000, flags=Flag.POST_PENDING, hold=2)
    assert results(engine, limit, held, posted) == [Result.POSTED] * 3
    assert results(engine, transfer(CASH, PURSE, 40_001), transfer(CASH, PURSE, 40_000)) == [
        Result.EXCEEDS_MONTH,
        Result.POSTED,
    ]
