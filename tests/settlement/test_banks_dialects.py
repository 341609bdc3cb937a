"""Each bank's own paths: both sides speak them, and every service is asked for where that bank has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from settlement.banks.desk import PaymentDesk
from settlement.banks.dialects import DIALECTS, dialect_of
from settlement.banks.line import BankLine
from settlement.banks.payment import State
from settlement.banks.services import BankServices
from settlement.errors import BankAnswerInvalid, DialectUnknown
from settlement.snap.codes import Service
from tests.settlement.banked import CODE, NOON, OPENED, OURS, SAVER, payout, top_up

if TYPE_CHECKING:
    from tests.settlement.banked import Banked

BASES = {"standard": "/v1.0", "bni": "/snap-service/v1", "bca": "/openapi/v1.0", "bri": "/snap/v1.1"}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_service_is_asked_for_at_the_banks_own_paths(banked: Banked, name: str) -> None:
    dialect = dialect_of(name)
    banked.bank.paths = {dialect.path(one): one for one in Service if one is not Service.VA_NOTIFY}
    line = BankLine(replace(banked.line.bank, dialect=dialect), banked.wire, banked.vault, banked.clock)
    desk = PaymentDesk(banked.ledger, {"bni": line}, banked.clock)
    assert desk.pay(payout("P1")).state is State.DONE
    across = {"beneficiary": "8881234", "beneficiary_bank": "014", "beneficiary_name": "NASABAH 1234"}
    assert desk.pay(replace(payout("P2"), service=Service.INTERBANK, **across)).state is State.DONE  # type: ignore[arg-type]
    assert desk.pay(top_up("P3")).state is State.DONE
    bank = BankServices(line, lambda: desk.external_ids.next("bni"))
    assert bank.balance(OURS).balance == OPENED - 1_000_000
    assert len(bank.statement(OURS, NOON, NOON).movements) == 3
    assert bank.holder("014", "8881234") == "NASABAH 1234"
    assert bank.open_virtual_account("   88010", "12", "SARI", "T1") == "   8801012"
    bound = bank.bind("BOUND", CODE)
    assert bound.account == SAVER
    bank.unbind("BOUND", bound.token)
    statuses = [(Service.STATUS, "P1", "17"), (Service.DEBIT_STATUS, "P3", "54")]
    for number, (service, reference, kind) in enumerate(statuses):
        asked = {"originalPartnerReferenceNo": reference, "serviceCode": kind}
        assert line.call(service, asked, str(900 + number)).body["latestTransactionStatus"] == "00"
    called = {call.path for call in banked.wire.calls}
    assert called == set(banked.bank.paths)
    assert all(path.startswith(BASES[name]) for path in called)


def test_a_bank_that_is_asked_in_another_banks_way_tells_nothing_that_is_believed(
    banked: Banked, pauses: list[float]
) -> None:
    bank = replace(banked.line.bank, dialect=dialect_of("bca"))
    line = BankLine(bank, banked.wire, banked.vault, banked.clock)
    line._token, line._token_until = "taken elsewhere", banked.clock.at + 900_000  # type: ignore[assignment]
    services = BankServices(line, lambda: "1")
    with pytest.raises(BankAnswerInvalid, match="status 405"):
        services.balance(OURS)
    with pytest.raises(DialectUnknown, match="it is one of bca, bni, bri, standard"):
        dialect_of("bsi")
