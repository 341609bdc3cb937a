"""Two who bring one payment on at once, a holder's page and the night: what is heard of a call says nothing of the call after it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import UnixMs
from settlement.banks.desk import QUIET_MS
from settlement.banks.payment import State
from settlement.banks.unit import Move
from settlement.partner_bank.faults import Fault
from settlement.snap.codes import Service
from tests.settlement.banked import OPENED, Banked, payout

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.snap.calls import Call, Reply


def meanwhile(
    banked: Banked, monkeypatch: pytest.MonkeyPatch, service: Service, act: Callable[[], object]
) -> None:
    """Once, what the bank answers to a call of a service is heard only after somebody else has acted."""
    send = banked.wire.send
    met: list[Call] = []

    def slowly(call: Call) -> Reply:
        reply = send(call)
        if not met and banked.bank.paths.get(call.path) is service:
            met.append(call)
            act()
        return reply

    monkeypatch.setattr(banked.wire, "send", slowly)


def test_that_a_bank_did_not_know_a_call_says_nothing_of_one_sent_since(
    banked: Banked, monkeypatch: pytest.MonkeyPatch
) -> None:
    banked.bank.faults.script([Fault.LOST_BEFORE])
    assert banked.desk.pay(payout("P1")).state is State.UNKNOWN
    banked.clock.at = UnixMs(banked.clock.at + QUIET_MS + 1)
    banked.wire.delays = 1  # the second call is under way for a long time

    meanwhile(banked, monkeypatch, Service.STATUS, lambda: banked.desk.advance("P1"))
    record = banked.desk.advance("P1")
    assert (record.state, record.attempts) == (State.UNKNOWN, 2)
    banked.wire.let_in()
    assert banked.desk.advance("P1").state is State.DONE
    assert (banked.moved("P1"), banked.wallet()) == (1, (OPENED - payout("P1").amount, 0))


def test_that_a_call_has_failed_gives_nothing_back_of_one_sent_since(banked: Banked) -> None:
    banked.bank.faults.script([Fault.LOST_BEFORE])
    first = banked.desk.pay(payout("P1"))
    banked.clock.at = UnixMs(banked.clock.at + QUIET_MS + 1)
    banked.wire.delays = 1
    second = banked.desk.advance("P1")
    assert second.state is State.UNKNOWN
    late = Move("P1", (State.SENT, State.UNKNOWN), State.FAILED, call=first.external_id)
    assert banked.ledger.writer.submit(late).result() == second
    assert banked.wallet() == (OPENED, payout("P1").amount)  # held: the second call may be done
    known = Move("P1", (State.SENT, State.UNKNOWN), State.FAILED, call=second.external_id)
    assert banked.ledger.writer.submit(known).result().state is State.FAILED
    assert banked.wallet() == (OPENED, 0)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        (Service.INTRABANK, {"partnerReferenceNo": "P2"}),
        (Service.INTRABANK, {"amount": {"value": "1.00", "currency": "IDR"}}),
        (Service.STATUS, {"originalPartnerReferenceNo": "P2"}),
        (Service.STATUS, {"amount": {"value": "1.00", "currency": "IDR"}}),
    ],
)
def test_an_answer_about_another_payment_or_sum_concludes_nothing(
    banked: Banked, monkeypatch: pytest.MonkeyPatch, service: Service, told: dict[str, Any]
) -> None:
    send = banked.wire.send

    def otherwise(call: Call) -> Reply:
        reply = send(call)
        if banked.bank.paths.get(call.path) is not service:
            return reply
        return replace(reply, body=json.dumps(json.loads(reply.body) | told).encode())

    if service is Service.STATUS:
        banked.bank.faults.script([Fault.LOST_AFTER])
        banked.desk.pay(payout("P1"))
    with monkeypatch.context() as patched:
        patched.setattr(banked.wire, "send", otherwise)
        record = banked.desk.pay(payout("P1"))
    assert record.state is State.UNKNOWN
    assert banked.wallet() == (OPENED, payout("P1").amount)  # held while nobody knows
    assert banked.desk.advance("P1").state is State.DONE
    assert banked.moved("P1") == 1
