"""Accounts' flags and limits: what each refuses, what no rule refuses, and that all of it is in the journal."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import CITY, Day, day_of, moment
from keys.money import Rupiah, Sen, sen_of
from ledger.balance import Balance
from ledger.book import Ledger
from ledger.chart import Code, Partition, account_id
from ledger.engine import Engine
from ledger.errors import TransferInvalid
from ledger.journal import rows_of
from ledger.refusals import month_of
from ledger.rules import LIMIT_MAX, AccountRules, RuleFlag, change, default_rules
from ledger.store import Database
from ledger.transfer import Flag, Kind, Result
from ledger.verify import verify
from tests.ledger.entries import CASH, OPERATOR, OTHER_PURSE, PURSE, WALLET, SetClock, transfer

if TYPE_CHECKING:
    from ledger.chart import AccountId
    from ledger.transfer import Transfer
    from ledger.writer import Posted

MERCHANT = account_id(Code.MERCHANT_PAYABLE, Partition(3), 88)
UNREGISTERED = AccountRules(ceiling=Rupiah(2_000_000))
REGISTERED = AccountRules(ceiling=Rupiah(20_000_000), monthly=Rupiah(40_000_000))
DAY = day_of(datetime(2025, 6, 30, tzinfo=CITY).date())


def put(engine: Engine, *transfers: Transfer, day: int = DAY) -> list[Result]:
    rows = rows_of(transfers, moment(datetime(2025, 6, 30, 9, tzinfo=CITY)), Day(day))
    return [Result(result) for result in engine.apply(rows).results.tolist()]


def with_rules(account: AccountId, rules: AccountRules) -> Engine:
    engine = Engine()
    assert put(engine, change(account, rules, moment(datetime(2025, 6, 30, 8, tzinfo=CITY)))) == [
        Result.POSTED
    ]
    assert engine.rules(account) == rules
    return engine


def load(amount: int, credit: AccountId = PURSE, flags: Flag = Flag.NONE, hold: int = 0) -> Transfer:
    return transfer(CASH, credit, sen_of(Rupiah(amount)), flags=flags, hold=hold)


# --- flags -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "debited", "credited"),
    [
        (RuleFlag.CLOSED, Result.ACCOUNT_CLOSED, Result.ACCOUNT_CLOSED),
        (RuleFlag.DEBITS_FROZEN, Result.DEBITS_FROZEN, Result.POSTED),
        (RuleFlag.CREDITS_FROZEN, Result.POSTED, Result.CREDITS_FROZEN),
        (RuleFlag.DEBITS_FROZEN | RuleFlag.CREDITS_FROZEN, Result.DEBITS_FROZEN, Result.CREDITS_FROZEN),
        (RuleFlag.BLOCKED, Result.BLOCKED, Result.POSTED),
        (RuleFlag.DEBITS_WITHIN_CREDITS, Result.EXCEEDS_CREDITS, Result.POSTED),
        (RuleFlag.CREDITS_WITHIN_DEBITS, Result.POSTED, Result.EXCEEDS_DEBITS),
    ],
)
@pytest.mark.parametrize("hold", [Flag.NONE, Flag.PENDING], ids=["posted", "held"])
def test_each_flag_refuses_its_side_by_a_result_of_its_own(
    flag: RuleFlag, debited: Result, credited: Result, hold: Flag
) -> None:
    out, into = transfer(MERCHANT, CASH, 5, flags=hold), transfer(CASH, MERCHANT, 5, flags=hold)
    assert put(with_rules(MERCHANT, AccountRules(flag)), out) == [debited]
    assert put(with_rules(MERCHANT, AccountRules(flag)), into) == [credited]


def test_credits_may_reach_what_was_debited_and_no_more_holds_included() -> None:
    engine = with_rules(MERCHANT, AccountRules(RuleFlag.CREDITS_WITHIN_DEBITS))
    assert put(
        engine,
        transfer(MERCHANT, CASH, 10),
        transfer(CASH, MERCHANT, 4, flags=Flag.PENDING),
        transfer(CASH, MERCHANT, 7),
        transfer(CASH, MERCHANT, 6),
    ) == [Result.POSTED, Result.POSTED, Result.EXCEEDS_DEBITS, Result.POSTED]


def test_a_frozen_account_keeps_its_hold_until_it_is_thawed_or_the_hold_is_voided() -> None:
    engine = Engine()
    hold = transfer(CASH, MERCHANT, 9, flags=Flag.PENDING)
    frozen = change(MERCHANT, AccountRules(RuleFlag.CREDITS_FROZEN), transfer().occurred_at)
    thawed = change(MERCHANT, AccountRules(), transfer().occurred_at)
    capture = transfer(CASH, MERCHANT, 9, flags=Flag.POST_PENDING, hold=1)
    assert put(engine, hold, hold, frozen, capture) == [Result.POSTED] * 3 + [Result.CREDITS_FROZEN]
    assert put(engine, transfer(CASH, MERCHANT, 9, flags=Flag.VOID_PENDING, hold=2)) == [Result.POSTED]
    assert put(engine, thawed, capture) == [Result.POSTED, Result.POSTED]


def test_what_was_held_before_an_account_was_blocked_goes_where_it_was_held_for() -> None:
    engine = Engine()
    hold = transfer(CASH, MERCHANT, 9, flags=Flag.PENDING)
    blocked = change(CASH, AccountRules(RuleFlag.BLOCKED), transfer().occurred_at)
    assert put(engine, hold, hold, blocked, hold) == [Result.POSTED] * 3 + [Result.BLOCKED]
    assert put(engine, transfer(CASH, MERCHANT, 9, flags=Flag.POST_PENDING, hold=1)) == [Result.POSTED]
    assert put(engine, transfer(CASH, MERCHANT, 9, flags=Flag.VOID_PENDING, hold=2)) == [Result.POSTED]


@pytest.mark.parametrize("flag", list(RuleFlag)[1:])
def test_law_05_an_offline_debit_is_posted_whatever_the_flags_and_says_which_rule_it_passed_over(
    flag: RuleFlag,
) -> None:
    engine = Engine()
    rules = [change(account, AccountRules(flag), transfer().occurred_at) for account in (PURSE, OPERATOR)]
    assert put(engine, *rules) == [Result.POSTED] * 2
    applied = engine.apply(rows_of([transfer(PURSE, OPERATOR, 7)], moment(datetime(2025, 6, 30)), DAY))  # noqa: DTZ001
    assert applied.results.tolist() == [Result.POSTED]
    expected = {
        RuleFlag.DEBITS_WITHIN_CREDITS: Result.EXCEEDS_CREDITS,
        RuleFlag.CREDITS_WITHIN_DEBITS: Result.EXCEEDS_DEBITS,
        RuleFlag.DEBITS_FROZEN: Result.DEBITS_FROZEN,
        RuleFlag.CREDITS_FROZEN: Result.CREDITS_FROZEN,
        RuleFlag.CLOSED: Result.ACCOUNT_CLOSED,
        RuleFlag.BLOCKED: Result.BLOCKED,
    }[flag]
    assert applied.overruled.tolist() == [expected]
    assert put(engine, transfer(PURSE, OPERATOR, 7, flags=Flag.PENDING)) == [expected]


def test_rules_change_by_rows_that_are_made_as_such_and_move_nothing() -> None:
    good = rows_of([change(PURSE, REGISTERED, transfer().occurred_at)], transfer().occurred_at, DAY)
    for field, value in (
        ("amount", 1),
        ("credit", OPERATOR),
        ("hold", 1 << 60),
        ("hold", 64),
        ("kind", int(Kind.SALE)),  # which the database refuses: that would stop the writer
    ):
        row = good.copy()
        row[field] = value
        engine = Engine()
        assert engine.apply(row).results.tolist() == [Result.RULES_INVALID]
        assert engine.rules(PURSE) == AccountRules()
    for extra in (Flag.PENDING, Flag.POST_PENDING, Flag.VOID_PENDING, Flag(64)):
        row = good.copy()
        row["flags"] |= int(extra)
        assert Engine().apply(row).results.tolist() == [Result.FLAGS_INVALID]


def test_no_money_gets_into_the_register_of_rules() -> None:
    register = change(PURSE, AccountRules(), transfer().occurred_at).credit
    assert put(Engine(), transfer(CASH, register, 5)) == [Result.ACCOUNT_CLOSED]


@given(
    st.sampled_from([RuleFlag(bits) for bits in range(64)]),
    *(st.integers(0, LIMIT_MAX // 1000).map(lambda thousands: Rupiah(1000 * thousands)) for _ in range(2)),
)
def test_rules_are_packed_and_unpacked_without_loss(
    flags: RuleFlag, ceiling: Rupiah, monthly: Rupiah
) -> None:
    rules = AccountRules(flags, ceiling, monthly)
    assert AccountRules.unpacked(rules.packed()) == rules
    assert 0 <= rules.packed() < 1 << 60


@pytest.mark.parametrize("limit", [Rupiah(999), Rupiah(-1000), Rupiah(LIMIT_MAX + 1000)])
def test_a_limit_that_cannot_be_packed_is_refused(limit: Rupiah) -> None:
    with pytest.raises(TransferInvalid, match="whole thousands"):
        AccountRules(ceiling=limit).packed()
    with pytest.raises(TransferInvalid, match="whole thousands"):
        AccountRules(monthly=limit).packed()


# --- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [UNREGISTERED, REGISTERED], ids=["unregistered", "registered"])
def test_a_balance_may_reach_its_ceiling_to_the_sen_and_holds_count(rules: AccountRules) -> None:
    engine = with_rules(PURSE, rules)
    half = rules.ceiling // 2
    assert put(engine, load(half), load(half - 1, flags=Flag.PENDING)) == [Result.POSTED] * 2
    assert put(engine, transfer(CASH, PURSE, 101)) == [Result.EXCEEDS_CEILING]
    assert put(engine, transfer(CASH, PURSE, 101, flags=Flag.PENDING)) == [Result.EXCEEDS_CEILING]
    assert put(engine, transfer(CASH, PURSE, 100)) == [Result.POSTED]
    assert put(
        engine, transfer(PURSE, OPERATOR, 300), transfer(CASH, PURSE, 301), transfer(CASH, PURSE, 300)
    ) == [
        Result.POSTED,
        Result.EXCEEDS_CEILING,
        Result.POSTED,
    ]


def test_a_held_debit_makes_no_room_under_the_ceiling() -> None:
    engine = with_rules(WALLET, UNREGISTERED)
    out = transfer(WALLET, OPERATOR, sen_of(Rupiah(500_000)), flags=Flag.PENDING)
    assert put(engine, load(2_000_000, WALLET), out, load(1, WALLET)) == [
        Result.POSTED,
        Result.POSTED,
        Result.EXCEEDS_CEILING,
    ]


def test_a_voided_hold_makes_room_again_and_a_capture_of_less_gives_the_rest_back() -> None:
    engine = with_rules(PURSE, REGISTERED)
    hold, void = load(20_000_000, flags=Flag.PENDING), load(20_000_000, flags=Flag.VOID_PENDING, hold=2)
    assert put(engine, hold, load(1), void, load(15_000_000, flags=Flag.PENDING)) == [
        Result.POSTED,
        Result.EXCEEDS_CEILING,
        Result.POSTED,
        Result.POSTED,
    ]
    assert put(
        engine, load(5_000_000, flags=Flag.POST_PENDING, hold=4), load(15_000_001), load(15_000_000)
    ) == [
        Result.POSTED,
        Result.EXCEEDS_CEILING,
        Result.POSTED,
    ]
    assert engine.balance(PURSE) == Balance(credits_posted=sen_of(Rupiah(20_000_000)))


def test_what_comes_in_is_counted_by_calendar_month_holds_included() -> None:
    engine = with_rules(PURSE, REGISTERED)
    spend = transfer(PURSE, OPERATOR, sen_of(Rupiah(20_000_000)))
    assert (
        put(engine, load(20_000_000), spend, load(15_000_000), load(4_999_999, flags=Flag.PENDING))
        == [Result.POSTED] * 4
    )
    assert put(engine, spend, load(2), load(1)) == [Result.POSTED, Result.EXCEEDS_MONTH, Result.POSTED]
    assert put(engine, load(2), day=DAY + 1) == [Result.POSTED]


def test_a_hold_voided_in_its_month_counts_no_more_and_in_a_later_month_changes_nothing() -> None:
    engine = with_rules(PURSE, AccountRules(monthly=Rupiah(1_000)))
    hold = load(1_000, flags=Flag.PENDING)
    assert put(engine, hold, load(1), load(1_000, flags=Flag.VOID_PENDING, hold=2), hold) == [
        Result.POSTED,
        Result.EXCEEDS_MONTH,
        Result.POSTED,
        Result.POSTED,
    ]
    july = [load(600), load(1_000, flags=Flag.VOID_PENDING, hold=4), load(401), load(400)]
    assert put(engine, *july, day=DAY + 1) == [
        Result.POSTED,
        Result.POSTED,
        Result.EXCEEDS_MONTH,
        Result.POSTED,
    ]


def test_a_month_that_was_counted_before_the_limit_came_counts() -> None:
    engine = Engine()
    rule = change(PURSE, AccountRules(monthly=Rupiah(1_000)), transfer().occurred_at)
    assert put(engine, load(900), rule, load(101), load(100)) == [
        Result.POSTED,
        Result.POSTED,
        Result.EXCEEDS_MONTH,
        Result.POSTED,
    ]


@pytest.mark.parametrize(
    ("last", "first"),
    [((2025, 12, 31), (2026, 1, 1)), ((2024, 2, 29), (2024, 3, 1)), ((2023, 2, 28), (2023, 3, 1))],
)
def test_months_and_years_change_at_midnight_of_the_business_date(
    last: tuple[int, int, int], first: tuple[int, int, int]
) -> None:
    engine = with_rules(PURSE, AccountRules(monthly=Rupiah(1_000)))
    days = [day_of(datetime(*date, tzinfo=CITY).date()) for date in (last, first)]
    assert put(engine, load(1_000), load(1), day=days[0]) == [Result.POSTED, Result.EXCEEDS_MONTH]
    assert put(engine, load(1_000), load(1), day=days[1]) == [Result.POSTED, Result.EXCEEDS_MONTH]


@given(st.dates())
def test_the_kernels_month_is_the_calendars(date: datetime) -> None:
    assert month_of(int(day_of(date))) == date.year * 12 + date.month - 1


def test_law_05_a_load_that_happened_is_posted_over_the_limits_and_marked() -> None:
    engine = with_rules(PURSE, REGISTERED)
    rows = rows_of([load(20_000_001, flags=Flag.PROVEN), load(1)], moment(datetime(2025, 6, 30)), DAY)  # noqa: DTZ001
    applied = engine.apply(rows)
    assert applied.results.tolist() == [Result.POSTED, Result.EXCEEDS_CEILING]
    assert applied.overruled.tolist() == [Result.EXCEEDS_CEILING, Result.POSTED]


def test_a_group_that_fails_leaves_rules_sums_and_the_month_as_they_were() -> None:
    engine = with_rules(PURSE, AccountRules(monthly=Rupiah(1_000)))
    assert put(engine, load(700)) == [Result.POSTED]
    before = engine.keep()
    linked = [
        change(PURSE, AccountRules(RuleFlag.CLOSED), transfer().occurred_at, Flag.LINKED),
        transfer(CASH, OTHER_PURSE, 5, flags=Flag.LINKED | Flag.PENDING),
        load(1, flags=Flag.NONE),
    ]
    assert put(engine, *linked, day=DAY + 1) == [
        Result.LINKED_FAILED,
        Result.LINKED_FAILED,
        Result.ACCOUNT_CLOSED,
    ]
    after = engine.keep()
    kept = {row[0]: row for row in before.accounts.tolist()}
    assert {row[0]: row for row in after.accounts.tolist() if row[0] in kept} == kept
    assert engine.rules(PURSE).flags == RuleFlag.NONE
    assert not engine.pending(before.position + 2)
    assert put(engine, load(301), load(300)) == [Result.EXCEEDS_MONTH, Result.POSTED]


# --- through the writer -----------------------------------------------------------------------------------------------


def test_concurrent_loads_never_pass_one_ceiling(ledger: Ledger) -> None:
    assert ledger.change_rules(PURSE, UNREGISTERED).result is Result.POSTED
    answers: list[list[Posted]] = []

    def kiosk() -> None:
        for _ in range(8):
            answers.append(ledger.post([load(300_000, flags=Flag.PENDING)]))  # noqa: PERF401  threads append

    threads = [threading.Thread(target=kiosk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results = [one.result for (one,) in answers]
    assert results.count(Result.POSTED) == 6
    assert results.count(Result.EXCEEDS_CEILING) == 26
    assert ledger.balance(PURSE).credits_pending == sen_of(Rupiah(1_800_000))


def test_concurrent_spends_of_one_wallet_never_spend_it_twice(ledger: Ledger) -> None:
    ledger.post([transfer(CASH, WALLET, 1000)])
    answers: list[Posted] = []

    def spend(amount: int) -> None:
        for flags in (
            Flag.NONE,
            Flag.PENDING,
        ) * 8:  # sixteen are more than the wallet pays for, so each amount is refused in the end
            answers.extend(ledger.post([transfer(WALLET, OPERATOR, amount, flags=flags)]))

    threads = [threading.Thread(target=spend, args=(amount,)) for amount in (70, 110, 130)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    balance = ledger.balance(WALLET)
    assert 1000 - 70 < balance.debits_posted + balance.debits_pending <= 1000
    assert {one.result for one in answers} == {Result.POSTED, Result.EXCEEDS_CREDITS}
    assert all(
        one.debited.debits_posted + one.debited.debits_pending <= one.debited.credits_posted
        for one in answers
    )


def test_every_answer_carries_the_balances_right_after_it(ledger: Ledger) -> None:
    posted = ledger.post(
        [transfer(CASH, WALLET, 100), transfer(WALLET, OPERATOR, 30), transfer(WALLET, OPERATOR, 71)]
    )
    assert [one.result for one in posted] == [Result.POSTED, Result.POSTED, Result.EXCEEDS_CREDITS]
    sums = {"credits_posted": Sen(100)}
    assert [one.credited for one in posted[:1]] == [Balance(**sums)]
    assert [one.debited for one in posted[1:]] == [Balance(debits_posted=Sen(30), **sums)] * 2
    assert [one.credited for one in posted[1:]] == [Balance(credits_posted=Sen(30))] * 2


def test_law_08_rules_and_limits_survive_a_restart_and_the_journal_verifies(
    url: str, clock: SetClock
) -> None:
    with Ledger.open(url, clock) as ledger:
        assert ledger.rules(WALLET) == default_rules(WALLET)
        ledger.post([load(19_000_000)])
        ledger.change_rules(PURSE, REGISTERED)
        ledger.post([transfer(PURSE, OPERATOR, sen_of(Rupiah(19_000_000))), load(20_000_000)])
        assert ledger.rebuild_check() == 4
    with Ledger.open(url, clock) as again:
        assert again.rules(PURSE) == REGISTERED
        assert again.post([load(1)])[0].result is Result.EXCEEDS_CEILING
        again.post([transfer(PURSE, OPERATOR, sen_of(Rupiah(19_000_000)))])
        assert [one.result for one in again.post([load(1_000_001), load(1_000_000)])] == [
            Result.EXCEEDS_MONTH,
            Result.POSTED,
        ]
    database = Database(url)
    assert verify(database).transfers == 6
    database.close()
