"""Bad answers of a bank: each field of each answer to a payment, and to a question after one, missing, malformed and oversized. The money stays as it is until a good answer comes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.banks.payment import State
from settlement.partner_bank.faults import Fault
from settlement.snap import fields
from settlement.snap.calls import Reply
from settlement.snap.codes import MOVING, STATUS_OF, Service
from settlement.snap.fields import ANSWERS, Field
from tests.settlement import bad_values
from tests.settlement.banked import Banked, payout, top_up

if TYPE_CHECKING:
    from settlement.banks.payment import Payment
    from settlement.snap.calls import Call

PAID = [(service, field) for service in sorted(MOVING) for field in ANSWERS[service]]
ASKED = [(service, field) for service in (Service.INTRABANK, Service.DIRECT_DEBIT) for field in ANSWERS[STATUS_OF[service]]]  # fmt: skip


def named(one: object) -> str:
    return one.name.lower() if isinstance(one, Service) else str(getattr(one, "name", one))


def payment(service: Service, reference: str) -> Payment:
    if service is Service.DIRECT_DEBIT:
        return top_up(reference)
    made = payout(reference)
    if service is Service.INTRABANK:
        return made
    other = {"beneficiary": "8881234", "beneficiary_bank": "014", "beneficiary_name": "NASABAH 1234"}
    return replace(made, service=service, **other)  # type: ignore[arg-type]


def wrong(field: Field) -> list[object]:
    """What a field may not be; None for one that is not there."""
    return [*bad_values.missing(field), *bad_values.malformed(field)]


class Spoilt:
    """A wire on which one field of one service's answers is something else."""

    def __init__(self, banked: Banked, service: Service, field: Field) -> None:
        self._send, self._paths = banked.wire.send, banked.bank.paths
        self._service, self._name = service, field.name
        self.value: object = None
        self.is_spoilt = True

    def __call__(self, call: Call) -> Reply:
        reply = self._send(call)
        if not self.is_spoilt or self._paths[call.path] is not self._service:
            return reply
        body: dict[str, Any] = fields.read_body(reply.body) or {}
        body[self._name] = self.value
        told = {name: value for name, value in body.items() if value is not None}
        return Reply(reply.status, fields.written(told), reply.headers)


@pytest.mark.parametrize(("service", "field"), PAID, ids=named)
def test_a_payment_whose_answer_is_wrong_in_a_field_is_unknown_until_it_is_asked_after(
    banked: Banked, monkeypatch: pytest.MonkeyPatch, service: Service, field: Field
) -> None:
    monkeypatch.setattr(banked.wire, "send", spoilt := Spoilt(banked, service, field))
    for number, spoilt.value in enumerate(wrong(field)):
        reference = f"P{number}"
        assert banked.desk.pay(payment(service, reference)).state is State.UNKNOWN, spoilt.value
        assert banked.moved(reference) == 1
        assert banked.desk.advance(reference).state is State.DONE
        assert banked.moved(reference) == 1


@pytest.mark.parametrize(("service", "field"), ASKED, ids=named)
def test_what_is_said_after_a_payment_is_not_believed_where_a_field_of_it_is_wrong(
    banked: Banked, monkeypatch: pytest.MonkeyPatch, service: Service, field: Field
) -> None:
    monkeypatch.setattr(banked.wire, "send", spoilt := Spoilt(banked, STATUS_OF[service], field))
    for number, spoilt.value in enumerate(wrong(field)):
        reference = f"P{number}"
        banked.bank.faults.script([Fault.LOST_AFTER])
        assert banked.desk.pay(payment(service, reference)).state is State.UNKNOWN
        spoilt.is_spoilt = True
        assert banked.desk.advance(reference).state is State.UNKNOWN, spoilt.value
        spoilt.is_spoilt = False
        assert banked.desk.advance(reference).state is State.DONE
        assert banked.moved(reference) == 1
