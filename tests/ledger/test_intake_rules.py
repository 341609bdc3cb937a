"""Accounts' rules where cards meet them: loads are bound, and what a chip has signed is posted all the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import cbor2
import pytest

from card.batch import LOAD_CONTENT_TYPE
from card.layout import Concession, TapKind
from hebat.demo.town import AGENT
from keys.identity import TerminalRole
from keys.money import Rupiah, Sen, sen_of
from ledger.chart import Code, account_id, purse, split
from ledger.errors import LoadRefused
from ledger.intake.authorised import store as authorised
from ledger.intake.limits import MONTHLY_LIMIT_REGISTERED, limits_of
from ledger.intake.loads import Loads
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind
from ledger.rules import AccountRules, RuleFlag
from ledger.transfer import Kind, Result, Transfer
from tests.ledger.desk import OPERATOR, Desk, Scene

if TYPE_CHECKING:
    from hebat.issuing import Issued


def raised(scene: Scene) -> list[tuple[ExceptionKind, str]]:
    with scene.city.ledger.database.transaction() as connection:
        return [(one.kind, one.detail) for one in quarantine.read_exceptions(connection)]


def admit(kiosk: Desk, card: Issued, amount: int, request: int) -> int:
    """Authorise a load: the position of its hold."""
    city = kiosk.city
    loads = Loads(city.ledger, city.registry, city.intake.intents, city.clock)
    payload = cbor2.dumps([card.chip.uid, amount, request, city.clock.now()], canonical=True)
    return loads.admit(kiosk.seal(payload, LOAD_CONTENT_TYPE)).hold


@pytest.mark.parametrize(
    ("flag", "said"), [(RuleFlag.CLOSED, "account closed"), (RuleFlag.DEBITS_FROZEN, "debits frozen")]
)
def test_law_05_a_tap_of_a_closed_or_frozen_purse_is_posted_and_shown(
    scene: Scene, flag: RuleFlag, said: str
) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk()
    account = purse(card.identity.card_number)
    scene.city.ledger.change_rules(account, AccountRules(flag))
    desk.tap(card, TapKind.FARE, 3_500)
    assert [result["result"] for result in desk.send().results] == ["posted"]
    assert scene.city.ledger.balance(account).debits_posted == sen_of(Rupiah(3_500))
    assert (ExceptionKind.RULE_BROKEN, f"posted against the rules: {said}") in raised(scene)


def test_law_05_an_operator_that_takes_nothing_more_is_owed_fare_and_subsidy_all_the_same(
    scene: Scene,
) -> None:
    card, desk = scene.card(Concession.PUPIL, loaded=50_000), scene.desk()
    operator = account_id(Code.OPERATOR_PAYABLE, split(purse(card.identity.card_number)).partition, OPERATOR)
    scene.city.ledger.change_rules(operator, AccountRules(RuleFlag.CREDITS_FROZEN))
    for _ in range(2):
        desk.tap(card, TapKind.FARE, 1_000, rules=("concession:pupil",))
    assert [result["result"] for result in desk.send().results] == ["posted", "posted"]
    assert scene.city.ledger.balance(operator).credits_posted == sen_of(Rupiah(7_000))
    broken = (ExceptionKind.RULE_BROKEN, "posted against the rules: credits frozen")
    assert raised(scene).count(broken) == 2


def test_law_05_value_that_is_on_a_card_over_its_limits_is_posted_and_shown(scene: Scene) -> None:
    card, kiosk = scene.card(), scene.desk(3101, TerminalRole.KIOSK, AGENT)
    account = purse(card.identity.card_number)
    scene.city.ledger.change_rules(account, AccountRules(ceiling=Rupiah(40_000)))
    kiosk.tap(card, TapKind.LOAD, 50_000)
    assert kiosk.send().results[0]["result"] == "posted"
    assert scene.city.ledger.balance(account).credits_posted == sen_of(Rupiah(50_000))
    assert (ExceptionKind.RULE_BROKEN, "posted against the rules: exceeds ceiling") in raised(scene)


def test_a_load_puts_its_cards_limits_into_the_journal_once(scene: Scene) -> None:
    card, kiosk = scene.card(registered=True), scene.desk(3101, TerminalRole.KIOSK, AGENT)
    account = purse(card.identity.card_number)
    holds = [admit(kiosk, card, 100_000, request) for request in (1, 2)]
    limits = AccountRules(ceiling=Rupiah(20_000_000), monthly=MONTHLY_LIMIT_REGISTERED)
    assert scene.city.ledger.rules(account) == limits
    rows = scene.city.ledger.rows()
    assert rows["kind"].tolist() == [Kind.RULES, Kind.LOAD, Kind.LOAD]
    assert holds == [2, 3]


def test_a_registered_cards_month_is_full_at_forty_million_holds_included(scene: Scene) -> None:
    card, kiosk = scene.card(registered=True), scene.desk(3101, TerminalRole.KIOSK, AGENT)
    ledger, account = scene.city.ledger, purse(card.identity.card_number)
    admit(kiosk, card, 1_000_000, 1)
    operator = account_id(Code.OPERATOR_PAYABLE, split(account).partition, OPERATOR)
    cash = account_id(Code.AGENT_CASH, split(account).partition, AGENT)
    now = scene.clock.now()
    for amount in (19_000_000, 19_000_000):
        came = Transfer(cash, account, sen_of(Rupiah(amount)), Kind.LOAD, now, ledger.open_window())
        spent = Transfer(account, operator, sen_of(Rupiah(amount)), Kind.FARE, now, ledger.open_window())
        assert [one.result for one in ledger.post([came, spent])] == [Result.POSTED] * 2
    with pytest.raises(LoadRefused, match="40000000 rupiah a month"):
        admit(kiosk, card, 1_000_001, 2)
    assert admit(kiosk, card, 1_000_000, 3)


@pytest.mark.parametrize(
    ("flag", "said"), [(RuleFlag.CLOSED, "is closed"), (RuleFlag.CREDITS_FROZEN, "is frozen")]
)
def test_no_cash_is_taken_for_an_account_that_is_closed_or_frozen(
    scene: Scene, flag: RuleFlag, said: str
) -> None:
    card, kiosk = scene.card(), scene.desk(3101, TerminalRole.KIOSK, AGENT)
    scene.city.ledger.change_rules(purse(card.identity.card_number), AccountRules(flag))
    with pytest.raises(LoadRefused, match=said):
        admit(kiosk, card, 50_000, 1)
    with scene.city.ledger.database.transaction() as connection:
        assert authorised.load_of(connection, 3101, 1) is None


def test_kiosks_that_load_one_card_at_once_never_pass_its_ceiling(scene: Scene) -> None:
    card, got = scene.card(), list[int]()
    kiosks = [scene.desk(3101 + number, TerminalRole.KIOSK, AGENT) for number in range(3)]

    def load(kiosk: Desk) -> None:
        for request in range(1, 5):
            try:
                got.append(admit(kiosk, card, 300_000, request))
            except LoadRefused as refused:
                assert "2000000 rupiah at most" in str(refused)

    threads = [threading.Thread(target=load, args=(kiosk,)) for kiosk in kiosks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    account = purse(card.identity.card_number)
    assert len(got) == 6
    assert scene.city.ledger.balance(account).credits_pending == sen_of(Rupiah(1_800_000))


def test_what_is_held_for_a_torn_load_does_not_fill_the_card(scene: Scene) -> None:
    card, kiosk = scene.card(), scene.desk(3101, TerminalRole.KIOSK, AGENT)
    hold = admit(kiosk, card, 1_500_000, 1)
    kiosk.tap(card, TapKind.LOAD, 1_500_000, confirmed=False, commits=False, hold=hold)
    assert kiosk.send().results[0]["reason"] == "unconfirmed"
    assert admit(kiosk, card, 1_500_000, 2)
    with pytest.raises(LoadRefused, match="at most"):
        admit(kiosk, card, 500_001, 3)


def test_limits_for_torn_loads_are_rounded_up_to_what_rules_can_hold(scene: Scene) -> None:
    registered = scene.city.registry.card(int.from_bytes(scene.card().chip.uid, "big"))
    assert registered is not None
    assert limits_of(registered, Sen(1)).ceiling == 2_001_000


def test_one_hold_pays_for_one_load_of_a_batch_and_the_other_is_one_that_nobody_authorised(
    scene: Scene,
) -> None:
    card, kiosk = scene.card(), scene.desk(3101, TerminalRole.KIOSK, AGENT)
    hold = admit(kiosk, card, 100_000, 1)
    for _ in range(2):
        kiosk.tap(card, TapKind.LOAD, 100_000, hold=hold)
    assert [one["result"] for one in kiosk.send().results] == ["posted", "posted"]
    balance = scene.city.ledger.balance(purse(card.identity.card_number))
    assert (balance.credits_posted, balance.credits_pending) == (sen_of(Rupiah(200_000)), 0)
    assert not scene.city.ledger.is_pending(hold)
    with scene.city.ledger.database.transaction() as connection:
        found = [row.kind for row in quarantine.read_exceptions(connection)]
    assert found == [ExceptionKind.LOAD_UNAUTHORISED]
