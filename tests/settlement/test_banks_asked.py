"""Bad answers to what may be asked as often as one likes: each field of each answer, within lists and objects too, missing, malformed and oversized.

Generated from the tables, so that no field can be forgotten. Nothing of a bad answer is taken; the next good one is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settlement.banks.line import BankLine
from settlement.banks.services import BankServices
from settlement.errors import BankAnswerInvalid, BankUnreachable
from settlement.snap import fields
from settlement.snap.codes import MOVING, STATUS_OF, Service
from settlement.snap.fields import ANSWERS, Field
from tests.settlement import bad_values
from tests.settlement.banked import CODE, NOON, OPENED, OURS, SAVER, SHOP, Banked, payout

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.snap.calls import Call, Reply
    from tests.settlement.bad_values import Path

VA = "   88010"
WAYS: dict[Service, tuple[Callable[[BankServices], object], object]] = {
    Service.TOKEN: (lambda bank: bank.balance(OURS).balance, OPENED - 1_000_000),
    Service.BALANCE: (lambda bank: (bank.balance(OURS).name, bank.balance(OURS).available), ("KARTU SEMARANG HEBAT", OPENED - 1_000_000)),
    Service.STATEMENT: (lambda bank: [(one.amount, one.text, one.reference) for one in bank.statement(OURS, NOON, NOON).movements], [(-1_000_000, "sweep", "R1")]),
    Service.ACCOUNT: (lambda bank: bank.holder("014", "8881234"), "NASABAH 1234"),
    Service.VIRTUAL_ACCOUNT: (lambda bank: bank.open_virtual_account(VA, "12", "SARI", "T1"), VA + "12"),
    Service.BINDING: (lambda bank: bank.bind("BOUND", CODE).account, SAVER),
    Service.BINDING_INQUIRY: (lambda bank: bank.bind("BOUND", CODE).account, SAVER),
    Service.UNBINDING: (lambda bank: bank.unbind("BOUND", "consent-of-the-saver"), None),
}  # fmt: skip
EACH = [(service, path, field) for service in WAYS for path, field in bad_values.each(ANSWERS[service])]


class Spoilt:
    """A wire on which one field of one service's answers is something else."""

    def __init__(self, banked: Banked, service: Service, path: Path) -> None:
        self._send, self._banked, self._service, self._path = banked.wire.send, banked, service, path
        self.value: object = None
        self.is_spoilt = True

    def __call__(self, call: Call) -> Reply:
        reply = self._send(call)
        if not self.is_spoilt or self._banked.bank.paths[call.path] is not self._service:
            return reply
        body: dict[str, Any] = fields.read_body(reply.body) or {}
        bad_values.put(body, self._path, self.value)
        return replace(reply, body=fields.written(body))


@pytest.fixture
def paid(banked: Banked, pauses: list[float]) -> Banked:
    """A bank that has one line to tell; pauses between tries are not waited for."""
    banked.desk.pay(payout("R1"))
    return banked


def services_of(banked: Banked) -> BankServices:
    """A line that has no token yet, and whose circuit never opened."""
    line = BankLine(banked.line.bank, banked.wire, banked.vault, banked.clock)
    return BankServices(line, lambda: banked.desk.external_ids.next("bni"))


def named(one: object) -> str:
    if isinstance(one, Service):
        return one.name.lower()
    return "" if isinstance(one, Field) else ".".join(map(str, one)) if isinstance(one, tuple) else ""


def test_every_service_that_asks_is_here() -> None:
    """The rest move money, ask after that (`test_banks_answers`), or come in (`test_banks_notices`)."""
    assert {*WAYS, *MOVING, *STATUS_OF.values(), Service.VA_NOTIFY} == set(Service)


@pytest.mark.parametrize(("service", "path", "field"), EACH, ids=named)
def test_an_answer_that_is_wrong_in_a_field_is_not_taken_and_the_next_good_one_is(
    paid: Banked, monkeypatch: pytest.MonkeyPatch, service: Service, path: Path, field: Field
) -> None:
    way, expected = WAYS[service]
    monkeypatch.setattr(paid.wire, "send", spoilt := Spoilt(paid, service, path))
    error = BankUnreachable if service is Service.TOKEN else BankAnswerInvalid
    for spoilt.value in [*bad_values.missing(field), *bad_values.malformed(field)]:
        with pytest.raises(error):
            way(services_of(paid))
    spoilt.is_spoilt = False
    assert way(services_of(paid)) == expected


@pytest.mark.parametrize(("service", "path"), [
    (Service.BALANCE, ("accountNo",)), (Service.ACCOUNT, ("beneficiaryAccountNo",)),
    (Service.VIRTUAL_ACCOUNT, ("virtualAccountData", "virtualAccountNo")),
])  # fmt: skip
def test_an_answer_about_another_account_is_not_taken(
    paid: Banked, monkeypatch: pytest.MonkeyPatch, service: Service, path: Path
) -> None:
    monkeypatch.setattr(paid.wire, "send", spoilt := Spoilt(paid, service, path))
    spoilt.value = SHOP
    with pytest.raises(BankAnswerInvalid, match="another"):
        WAYS[service][0](services_of(paid))


def test_a_line_of_a_statement_is_a_credit_or_a_debit(paid: Banked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        paid.wire, "send", spoilt := Spoilt(paid, Service.STATEMENT, ("detailData", 0, "type"))
    )
    spoilt.value = "OTHER"
    with pytest.raises(BankAnswerInvalid, match="CREDIT"):
        services_of(paid).statement(OURS, NOON, NOON)
