"""The Saving pocket: consent and its end, balances that are the bank's words, money into the wallet and back, whatever is lost on the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keys.clock import day_of, local
from keys.money import Rupiah, Sen
from ledger.bundles.blocks import Blocks
from ledger.cardholder.savings import Consent, LinkState, Progress
from ledger.errors import SavingReason, SavingRefused
from ledger.rules import AccountRules, RuleFlag
from settlement.banks.desk import BLOCKED, QUIET_MS, WITHDRAWN
from settlement.banks.payment import State
from settlement.errors import BankSilent, PaymentInvalid
from settlement.partner_bank.faults import Fault
from settlement.partner_bank.moving import Hours
from tests.settlement.banked import NOON, WALLET, payout
from tests.settlement.saved import ALL, CODE, HELD, KSH, SAVER2, Saved, rupiah, silence, spent

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.snap import calls

ROOT = Path(__file__).parents[2]
TEN = rupiah(10_000)
TODAY = day_of(local(NOON).date())


def refusal(call: Callable[[], object]) -> SavingReason:
    with pytest.raises(SavingRefused) as refused:
        call()
    return refused.value.why


def test_an_account_is_linked_with_consent_and_its_balance_is_what_the_bank_said_and_when(
    linked: Saved,
) -> None:
    (shown,) = linked.desk.of(KSH)
    assert (shown.bank, shown.digits, shown.state, shown.consents) == (
        "Bank Negara Indonesia",
        SAVER2[-4:],
        LinkState.ACTIVE,
        ALL,
    )
    assert shown.consented_at == NOON
    assert shown.mirror is not None
    assert (shown.mirror.balance, shown.mirror.at, shown.mirror.source) == (HELD, NOON, "inquiry")


def test_a_balance_moves_only_when_the_bank_is_asked_again(linked: Saved) -> None:
    """Somebody uses the account elsewhere: what is shown stays, with its time, until the bank says something else."""
    linked.pass_(60_000)
    spent(linked, "X1", rupiah(7_000))
    (shown,) = linked.desk.of(KSH)
    assert shown.mirror is not None
    assert (shown.mirror.balance, shown.mirror.at) == (HELD, NOON)
    linked.desk.look(KSH, 1)
    (shown,) = linked.desk.of(KSH)
    assert shown.mirror is not None
    assert (shown.mirror.balance, shown.mirror.at) == (HELD - rupiah(7_000), NOON + 60_000)


def test_nothing_leaves_a_blocked_cards_wallet_for_a_bank_until_it_is_unblocked(linked: Saved) -> None:
    blocks, pay = Blocks(linked.banked.ledger.database), linked.banked.desk.pay
    linked.banked.bank.hours = Hours(1, 2)
    assert linked.desk.move(KSH, 1, Sen(-TEN), "before").progress is Progress.OPEN
    blocks.block(KSH, "lost", NOON)
    assert refusal(lambda: linked.desk.move(KSH, 1, Sen(-TEN), "down1")) is SavingReason.WALLET
    with pytest.raises(PaymentInvalid, match="P1: the card is blocked"):
        pay(payout("P1"))
    assert [one.progress for one in linked.desk.orders(KSH)] == [Progress.OPEN]
    linked.banked.bank.hours = Hours()
    linked.desk.resume()
    assert linked.banked.desk.find(linked.desk.orders(KSH)[0].reference).code == BLOCKED
    linked.check()
    assert linked.desk.move(KSH, 1, TEN, "up1").progress is Progress.DONE
    blocks.unblock(KSH, NOON)
    assert linked.desk.move(KSH, 1, Sen(-TEN), "down1").progress is Progress.DONE
    linked.check()
    assert pay(payout("P1")).state is State.DONE


def test_money_goes_into_the_wallet_and_back_each_order_once(linked: Saved) -> None:
    assert linked.desk.move(KSH, 1, TEN, "up1").progress is Progress.DONE
    assert (linked.saving(), linked.wallet()) == (HELD - TEN, rupiah(110_000))
    assert linked.desk.move(KSH, 1, TEN, "up1").progress is Progress.DONE
    assert linked.desk.move(KSH, 1, Sen(-2 * TEN), "down1").progress is Progress.DONE
    assert (linked.saving(), linked.wallet()) == (HELD + TEN, rupiah(90_000))
    assert [(one.amount, one.progress) for one in linked.desk.orders(KSH)] == [
        (-2 * TEN, Progress.DONE),
        (TEN, Progress.DONE),
    ]
    assert all(len(one.reference) <= 35 for one in linked.desk.orders(KSH))
    (shown,) = linked.desk.of(KSH)
    assert shown.mirror is not None
    assert (shown.mirror.balance, shown.since) == (HELD + TEN, 0)


@pytest.mark.usefixtures("pauses")
def test_what_moved_since_the_bank_was_asked_is_said_and_not_added(linked: Saved) -> None:
    """The inquiry after an order gets no answer: the balance stays the old one, and what moved is told beside it."""
    silent = linked.desk.services("bni")._line
    real = linked.banked.wire.send

    def deaf(call: calls.Call) -> calls.Reply:
        if call.path.endswith("balance-inquiry"):
            raise BankSilent("nothing comes")
        return real(call)

    linked.pass_(1_000)
    linked.banked.wire.send = deaf  # type: ignore[method-assign]
    assert silent is linked.banked.line
    linked.desk.move(KSH, 1, TEN, "up1")
    (shown,) = linked.desk.of(KSH)
    assert shown.mirror is not None
    assert (shown.mirror.balance, shown.mirror.at, shown.since) == (HELD, NOON, -TEN)
    assert refusal(lambda: linked.desk.look(KSH, 1)) is SavingReason.SILENT


def test_nothing_is_done_that_the_holder_did_not_agree_to(saved: Saved) -> None:
    assert refusal(lambda: saved.desk.link(KSH, "bni", CODE, ())) is SavingReason.NO_CONSENT
    saved.desk.link(KSH, "bni", CODE, [Consent.SWEEP])
    (shown,) = saved.desk.of(KSH)
    assert (shown.mirror, shown.consents) == (None, (Consent.SWEEP,))
    asked = len(saved.banked.wire.calls)
    assert refusal(lambda: saved.desk.look(KSH, 1)) is SavingReason.NO_CONSENT
    assert refusal(lambda: saved.desk.move(KSH, 1, TEN, "up1")) is SavingReason.NO_CONSENT
    assert len(saved.banked.wire.calls) == asked
    assert saved.desk.move(KSH, 1, Sen(-TEN), "down1").progress is Progress.DONE
    assert saved.desk.of(KSH)[0].mirror is None


def test_a_consent_that_ended_is_used_for_nothing_and_the_bank_knows(linked: Saved) -> None:
    linked.banked.bank.hours = Hours(1, 2)
    assert linked.desk.move(KSH, 1, TEN, "late").progress is Progress.OPEN  # waits for the bank's hours
    linked.desk.revoke(KSH, 1)
    linked.banked.bank.hours = Hours()
    linked.desk.resume()
    (order,) = linked.desk.orders(KSH)
    assert (order.progress, linked.saving()) == (Progress.FAILED, HELD)
    assert linked.banked.desk.find(order.reference).code == WITHDRAWN
    assert linked.banked.wallet() == (rupiah(100_000), 0)
    (shown,) = linked.desk.of(KSH)
    assert (shown.state, shown.mirror, shown.revoked_at) == (LinkState.REVOKED, None, NOON)
    for call in (
        lambda: linked.desk.look(KSH, 1),
        lambda: linked.desk.move(KSH, 1, TEN, "up"),
        lambda: linked.desk.revoke(KSH, 1),
    ):
        assert refusal(call) is SavingReason.NO_LINK
    with linked.banked.bank.books.session() as session:
        bound = session.binding("account", SAVER2)
    assert bound is not None
    assert not bound.is_active


@pytest.mark.usefixtures("pauses")
def test_a_consent_ends_here_at_once_and_the_bank_is_told_when_it_answers(linked: Saved) -> None:
    real = linked.banked.wire.send
    linked.banked.wire.send = silence  # type: ignore[method-assign,assignment]
    linked.desk.revoke(KSH, 1)
    assert linked.desk.of(KSH)[0].state is LinkState.REVOKING
    assert refusal(lambda: linked.desk.move(KSH, 1, TEN, "up1")) is SavingReason.NO_LINK
    linked.banked.wire.send = real  # type: ignore[method-assign]
    linked.pass_(60_000)  # the circuit rests for half a minute
    linked.desk.resume()
    assert (linked.desk.of(KSH)[0].state, linked.desk.of(KSH)[0].revoked_at) == (LinkState.REVOKED, NOON)


@pytest.mark.usefixtures("pauses")
def test_a_link_is_refused_for_a_reason_and_a_new_one_can_follow(linked: Saved) -> None:
    assert refusal(lambda: linked.desk.link(KSH, "bni", CODE, ALL)) is SavingReason.LINKED
    assert refusal(lambda: linked.desk.link(KSH, "bca", CODE, ALL)) is SavingReason.NO_BANK
    linked.desk.revoke(KSH, 1)
    for code in ("", "x" * 257, "line\nbreak", "no such code"):
        assert refusal(lambda code=code: linked.desk.link(KSH, "bni", code, ALL)) is SavingReason.CODE  # type: ignore[misc]
    linked.desk.link(KSH, "bni", CODE, ALL)
    assert [one.state for one in linked.desk.of(KSH)] == [
        LinkState.ACTIVE,
        LinkState.REFUSED,
        LinkState.REVOKED,
    ]


@pytest.mark.parametrize("key", ["", "x" * 14, "a b", "ü"])
def test_a_key_that_is_none_is_refused(linked: Saved, key: str) -> None:
    assert refusal(lambda: linked.desk.move(KSH, 1, TEN, key)) is SavingReason.AMOUNT
    assert refusal(lambda: linked.desk.move(KSH, 1, Sen(0), "zero")) is SavingReason.AMOUNT


def test_the_wallets_ceiling_refuses_before_the_bank_hears_of_it(linked: Saved) -> None:
    linked.banked.ledger.change_rules(
        WALLET, AccountRules(RuleFlag.DEBITS_WITHIN_CREDITS, ceiling=Rupiah(110_000))
    )
    asked = len(linked.banked.wire.calls)
    assert refusal(lambda: linked.desk.move(KSH, 1, Sen(TEN + 1), "over")) is SavingReason.WALLET
    assert (
        refusal(lambda: linked.desk.move(KSH, 1, Sen(-rupiah(100_000) - 1), "short")) is SavingReason.WALLET
    )
    assert len(linked.banked.wire.calls) == asked
    assert linked.desk.move(KSH, 1, TEN, "upto").progress is Progress.DONE


def test_no_account_and_no_token_stands_in_the_database(linked: Saved, tmp_path: Path) -> None:
    linked.desk.move(KSH, 1, TEN, "up1")
    linked.desk.move(KSH, 1, Sen(-TEN), "down1")
    with linked.banked.bank.books.session() as session:
        bound = session.binding("account", SAVER2)
    assert bound is not None
    content = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert b"saving_links" in content
    for secret in (SAVER2, bound.token, CODE):
        assert secret.encode() not in content
    assert SAVER2 not in repr(linked.desk.links.account(linked.desk._link(KSH, 1)))


FAULTS = [
    Fault.LOST_AFTER,
    Fault.LOST_BEFORE,
    Fault.FAILED_AFTER,
    Fault.REFUSED_BEFORE,
    Fault.TWICE,
    Fault.GARBLED,
    Fault.UNDER_WAY,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_order_whose_outcome_is_not_known_is_asked_after_and_happens_once(
    linked: Saved, fault: Fault
) -> None:
    for number, amount in enumerate((TEN, Sen(-TEN))):
        linked.banked.bank.faults.script([fault])
        order = linked.desk.move(KSH, 1, amount, f"k{number}")
        sent = linked.banked.bodies()
        assert order.progress is Progress.OPEN
        linked.banked.bank.finish_under_way()
        linked.desk.look(KSH, 1)  # asks for the status, sends nothing again
        assert (
            sum(
                order.reference.encode() in body and b"serviceCode" not in body
                for body in linked.banked.bodies()
            )
            == 1
        )
        assert len(linked.banked.bodies()) > len(sent)
        linked.pass_(QUIET_MS + 1)
        linked.desk.resume()
        assert linked.desk.orders(KSH)[0].progress is Progress.DONE
        assert linked.banked.moved(order.reference) == 1
    assert (linked.saving(), linked.banked.wallet()) == (HELD, (rupiah(100_000), 0))


def test_a_process_that_is_killed_at_any_step_leaves_nothing_half_done(tmp_path: Path) -> None:
    """SIGKILL before every commit and every call of opening a virtual account, and of link, top-up, sweep and end."""
    command = [sys.executable, "-m", "tests.settlement.saving_kills", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout.split()[-1]) >= 22, "the stories have that many commits and calls"


def test_a_card_has_one_virtual_account_a_bank_and_only_that_one_pays_in(saved: Saved) -> None:
    made = saved.desk.number(KSH, "bni")
    assert made == "   88010" + str(KSH.card_number)
    assert saved.again().desk.number(KSH, "bni") == made
    assert saved.desk.numbers(KSH) == [("Bank Negara Indonesia", made)]
    found = saved.desk.accounts("bni", made)
    assert found is not None
    assert found[1] == WALLET
    for bank, number in (
        ("bca", made),
        ("bni", made[:-1] + "0"),
        ("bni", ""),
        ("bni", "x" * 24),
        ("bni", "   88011" + made[8:]),
    ):
        assert saved.desk.accounts(bank, number) is None
