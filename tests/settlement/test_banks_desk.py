"""Payments to and from a bank: each at most once, whatever is lost; the line's tokens, clocks and circuit."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from keys.errors import KeyMissing, KeyMisused, VaultLocked
from keys.money import Rupiah, sen_of
from keys.partner import PartnerVault
from ledger.rules import AccountRules, RuleFlag
from settlement.banks.breaker import FAILURES_MAX, REST_MS, Breaker
from settlement.banks.desk import ATTEMPTS_MAX, QUIET_MS
from settlement.banks.dialects import dialect_of
from settlement.banks.line import accepted
from settlement.banks.payment import State
from settlement.banks.wire import HttpWire
from settlement.errors import (
    BankRefused,
    BankUnreachable,
    CircuitOpen,
    DialectUnknown,
    PaymentInvalid,
    PaymentUnknown,
)
from settlement.partner_bank.faults import Fault, shares_of
from settlement.partner_bank.moving import Hours
from settlement.snap import calls
from settlement.snap.codes import Service
from tests.settlement.banked import (
    CONSENT,
    OPENED,
    OURS,
    SAVER,
    SHOP,
    WALLET,
    Banked,
    make_vault,
    payout,
    top_up,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from settlement.banks.payment import Payment

TEN = sen_of(Rupiah(10_000))


def test_a_payout_takes_from_the_wallet_and_reaches_the_account(banked: Banked) -> None:
    record = banked.desk.pay(payout("P1"))
    assert (record.state, record.code, record.attempts) == (State.DONE, "2001700", 1)
    assert (banked.balance(OURS), banked.balance(SHOP)) == (OPENED - TEN, OPENED + TEN)
    assert banked.wallet() == (OPENED - TEN, 0)
    assert banked.desk.pay(payout("P1")) == record
    assert banked.moved("P1") == 1


def test_a_top_up_comes_from_the_savers_account(banked: Banked) -> None:
    assert banked.desk.pay(top_up("T1")).state is State.DONE
    assert (banked.balance(SAVER), banked.balance(OURS)) == (OPENED - TEN, OPENED + TEN)
    assert banked.wallet() == (OPENED + TEN, 0)


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.FAILED_AFTER, Fault.TWICE, Fault.GARBLED])
def test_a_payment_whose_answer_is_lost_is_asked_after_and_never_sent_again(
    banked: Banked, fault: Fault
) -> None:
    banked.bank.faults.script([fault])
    record = banked.desk.pay(payout("P1"))
    assert record.state is State.UNKNOWN
    assert banked.wallet() == (OPENED, TEN)  # held while nobody knows
    assert banked.desk.advance("P1").state is State.DONE
    assert (banked.moved("P1"), banked.wallet()) == (1, (OPENED - TEN, 0))


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.REFUSED_BEFORE])
def test_a_call_that_got_lost_is_sent_again_only_once_it_is_too_old_to_be_accepted(
    banked: Banked, fault: Fault
) -> None:
    banked.bank.faults.script([fault])
    assert banked.desk.pay(payout("P1")).state is State.UNKNOWN
    assert banked.desk.advance("P1").state is State.UNKNOWN
    banked.clock.at = UnixMs(banked.clock.at + QUIET_MS + 1)
    record = banked.desk.advance("P1")
    assert (record.state, record.attempts, banked.moved("P1")) == (State.DONE, 2, 1)


def test_a_call_that_arrives_late_moves_nothing_a_second_time(banked: Banked) -> None:
    banked.wire.delays = 1
    assert banked.desk.pay(payout("P1")).state is State.UNKNOWN
    banked.clock.at = UnixMs(banked.clock.at + QUIET_MS + 1)
    assert banked.desk.advance("P1").state is State.DONE
    banked.wire.let_in()
    assert (banked.moved("P1"), banked.balance(SHOP)) == (1, OPENED + TEN)


def test_what_is_under_way_is_known_once_the_bank_has_done_it(banked: Banked) -> None:
    banked.bank.faults.script([Fault.UNDER_WAY])
    assert banked.desk.pay(payout("P1")).state is State.UNKNOWN
    assert banked.desk.advance("P1").state is State.UNKNOWN
    assert banked.bank.finish_under_way() == 1
    assert banked.desk.advance("P1").state is State.DONE
    assert (banked.moved("P1"), banked.wallet()) == (1, (OPENED - TEN, 0))


def test_a_refusal_gives_the_money_back(banked: Banked) -> None:
    record = banked.desk.pay(top_up("T1", 1_000_001))
    assert (record.state, record.code) == (State.FAILED, "4035414")
    assert banked.wallet() == (OPENED, 0)
    with banked.bank.books.session() as session:
        session.set_active(SHOP, active=False)
    assert banked.desk.pay(payout("P1")).code == "4031718"


@pytest.mark.parametrize("flag", [RuleFlag.DEBITS_FROZEN | RuleFlag.CREDITS_FROZEN, RuleFlag.CLOSED])
@pytest.mark.parametrize(("make", "moved"), [(payout, -TEN), (top_up, TEN)])
def test_what_the_bank_has_done_is_in_the_books_though_the_wallet_was_frozen_meanwhile(
    banked: Banked, make: Callable[[str], Payment], moved: int, flag: RuleFlag
) -> None:
    banked.bank.faults.script([Fault.LOST_AFTER])
    assert banked.desk.pay(make("P1")).state is State.UNKNOWN
    banked.ledger.change_rules(WALLET, AccountRules(flag))
    assert [one.state for one in banked.desk.resume()] == [State.DONE]
    assert banked.wallet() == (OPENED + moved, 0)


def test_a_wallet_that_is_short_is_never_sent_to_the_bank(banked: Banked) -> None:
    with pytest.raises(PaymentInvalid, match="exceeds credits"):
        banked.desk.pay(payout("P1", 1_000_001))
    assert banked.wire.calls == []
    with pytest.raises(PaymentUnknown):
        banked.desk.find("P1")


def test_out_of_hours_a_payment_waits(banked: Banked) -> None:
    banked.bank.hours = Hours(13, 17)
    record = banked.desk.pay(payout("P1"))
    assert (record.state, record.code, banked.moved("P1")) == (State.PLANNED, "4031706", 0)
    banked.clock.at = UnixMs(banked.clock.at + 3_600_000)
    assert [one.state for one in banked.desk.resume()] == [State.DONE]


def test_a_reference_stands_for_one_payment(banked: Banked) -> None:
    banked.desk.pay(payout("P1"))
    with pytest.raises(PaymentInvalid, match="stands for another payment"):
        banked.desk.pay(payout("P1", 20_000))


@pytest.mark.parametrize("reference", ["", "x" * 65, "line\nbreak"])
def test_a_payment_that_no_bank_would_take_is_refused_before_it_is_kept(
    banked: Banked, reference: str
) -> None:
    with pytest.raises(PaymentInvalid, match="partnerReferenceNo"):
        banked.desk.pay(payout(reference))


def test_a_process_that_dies_after_sending_finds_out_when_it_starts_again(
    banked: Banked, vault: PartnerVault
) -> None:
    """The record says *sent* before the call goes out: whoever comes next asks, and does not send."""

    class PowerCut(BaseException):
        pass

    real = banked.wire.send

    def cut(call: calls.Call) -> calls.Reply:
        reply = real(call)
        if call.path.endswith("transfer-intrabank"):
            raise PowerCut
        return reply

    banked.wire.send = cut  # type: ignore[method-assign]
    with pytest.raises(PowerCut):
        banked.desk.pay(payout("P1"))
    assert banked.desk.find("P1").state is State.SENT
    again = Banked.joined(banked.ledger, banked.bank, banked.clock, vault)
    assert [one.state for one in again.desk.resume()] == [State.DONE]
    assert banked.moved("P1") == 1


def test_external_ids_are_new_after_a_restart_and_every_day(banked: Banked, vault: PartnerVault) -> None:
    taken = [banked.desk.external_ids.next("bni") for _ in range(60)]
    again = Banked.joined(banked.ledger, banked.bank, banked.clock, vault).desk.external_ids
    taken += [again.next("bni") for _ in range(3)]
    banked.clock.at = UnixMs(banked.clock.at + 86_400_000)
    taken.append(again.next("bni"))
    assert len(set(taken)) == 64
    assert taken[0] == "202611180000000001"
    assert taken[-1] == "202611190000000001"
    assert all(len(one) <= calls.EXTERNAL_ID_CHARACTERS_MAX and one.isdigit() for one in taken)


def test_a_token_is_renewed_before_it_runs_out_and_when_the_bank_forgot_it(banked: Banked) -> None:
    banked.desk.pay(payout("P1"))
    banked.desk.pay(payout("P2"))
    tokens = [call for call in banked.wire.calls if call.path.endswith("b2b")]
    assert len(tokens) == 1
    banked.bank.front.forget_tokens()
    assert banked.desk.pay(payout("P3")).state is State.DONE
    banked.clock.at = UnixMs(banked.clock.at + 900_000 - 29_000)
    assert banked.desk.pay(payout("P4")).state is State.DONE
    assert len([call for call in banked.wire.calls if call.path.endswith("b2b")]) == 3


@pytest.mark.parametrize("off", [-600_000, 600_000])
def test_clocks_that_are_apart_are_brought_together(banked: Banked, off: int) -> None:
    ours = type(banked.clock)(UnixMs(banked.clock.at + off))
    late = Banked.joined(banked.ledger, banked.bank, ours, banked.vault)
    assert late.desk.pay(payout("P1")).state is State.DONE
    assert late.line.bank_time() == banked.clock.at


def test_a_clock_that_is_far_off_is_not_followed(banked: Banked) -> None:
    ours = type(banked.clock)(UnixMs(banked.clock.at + 3_600_000))
    apart = Banked.joined(banked.ledger, banked.bank, ours, banked.vault)
    record = apart.desk.pay(payout("P1"))
    assert (record.state, banked.moved("P1")) == (State.PLANNED, 0)


def test_a_bank_that_fails_again_and_again_is_left_alone_for_a_while(banked: Banked) -> None:
    breaker = Breaker(banked.clock)
    for _ in range(FAILURES_MAX):
        breaker.check()
        breaker.failed()
    with pytest.raises(CircuitOpen, match="the next try is in"):
        breaker.check()
    banked.clock.at = UnixMs(banked.clock.at + REST_MS)
    breaker.check()
    with pytest.raises(CircuitOpen):  # one call tries; the others wait for it
        breaker.check()
    breaker.worked()
    breaker.check()


def test_with_an_open_circuit_nothing_is_sent_and_the_payment_waits(banked: Banked) -> None:
    banked.desk.pay(payout("P0"))
    banked.bank.faults.script([Fault.LOST_BEFORE] * FAILURES_MAX)
    for number in range(FAILURES_MAX):
        banked.desk.pay(payout(f"P{number + 1}", 1_000))
    before = len(banked.wire.calls)
    waiting = banked.desk.pay(payout("P9"))
    assert (waiting.state, len(banked.wire.calls)) == (State.PLANNED, before)
    banked.clock.at = UnixMs(banked.clock.at + QUIET_MS + 1)
    assert {one.state for one in banked.desk.resume()} == {State.DONE}


def test_a_payment_that_never_gets_through_is_left_to_people(banked: Banked) -> None:
    banked.bank.hours = Hours(1, 2)
    banked.desk.plan(payout("P1"))
    for _ in range(2 * ATTEMPTS_MAX):
        record = banked.desk.advance("P1")
    assert (record.state, record.attempts) == (State.PLANNED, ATTEMPTS_MAX)


def test_what_can_be_asked_for_tells_no_secret(banked: Banked, vault: PartnerVault) -> None:
    banked.desk.pay(top_up("T1"))
    shown = " ".join(map(repr, [vault, banked.line, *banked.wire.calls, banked.desk.find("T1"), banked.desk]))
    assert "consent" not in shown
    assert "Bearer" not in shown
    with pytest.raises(KeyMisused):
        pickle.dumps(vault)
    with pytest.raises(KeyMissing):
        vault.signed("bca", b"")


def test_a_partners_vault_opens_with_its_passphrase_alone(tmp_path: Path, vault: PartnerVault) -> None:
    made = make_vault(tmp_path)
    path = tmp_path / "partners.vault"
    assert (
        PartnerVault.open(path, "open sesame, but longer").mac("bni", b"x")
        == made.mac("bni", b"x")
        == vault.mac("bni", b"x")
    )
    with pytest.raises(VaultLocked):
        PartnerVault.open(path, "open-sesame-and-shorter")
    with pytest.raises(KeyMisused, match="already"):
        made.add("bni", b"another secret of many bytes")
    with pytest.raises(KeyMisused, match="at least"):
        made.add("bca", b"short")


def test_the_services_that_only_ask(banked: Banked) -> None:
    def ask(service: Service, **body: object) -> dict[str, object]:
        return accepted(banked.line.call(service, dict(body), banked.desk.external_ids.next("bni")))

    assert (
        ask(Service.BALANCE, partnerReferenceNo="B1", accountNo=SAVER, bankCardToken=CONSENT)["name"]
        == "SARI W"
    )
    banked.desk.pay(payout("P1"))
    day = {"fromDateTime": "2026-11-18T00:00:00+07:00", "toDateTime": "2026-11-18T23:59:59+07:00"}
    told = ask(Service.STATEMENT, partnerReferenceNo="S1", accountNo=OURS, **day)["detailData"]
    assert isinstance(told, list)
    assert [one["amount"]["value"] for one in told] == ["10000.00"]
    found = ask(
        Service.ACCOUNT, partnerReferenceNo="A1", beneficiaryBankCode="014", beneficiaryAccountNo="8881234"
    )
    assert found["beneficiaryAccountName"] == "NASABAH 1234"
    with pytest.raises(BankRefused) as unknown:
        ask(
            Service.ACCOUNT,
            partnerReferenceNo="A2",
            beneficiaryBankCode="014",
            beneficiaryAccountNo="8880000",
        )
    assert unknown.value.code == "4041611"


def test_a_bank_is_spoken_to_over_https(tmp_path: Path) -> None:
    with pytest.raises(PaymentInvalid, match="https"):
        HttpWire("http://bank.example")
    wire = HttpWire("http://127.0.0.1:9", answer_seconds=0.5)
    with pytest.raises(BankUnreachable):
        wire.send(calls.Call("POST", "/v1.0/balance-inquiry", {}, b"{}"))
    wire.close()
    with pytest.raises(DialectUnknown, match="bca"):
        dialect_of("klingon")


def test_shares_of_faults_are_read_or_refused() -> None:
    assert shares_of("lost-after=0.1,twice=0.2") == {Fault.LOST_AFTER: 0.1, Fault.TWICE: 0.2}
    for text in ("lost", "nonsense=1", "twice=2", "twice=-1", "twice=x"):
        with pytest.raises(ValueError):  # noqa: PT011  the text is the message
            shares_of(text)
