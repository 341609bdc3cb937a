"""Bad input at the bank: each field of each service missing, malformed and oversized; each header too. Generated from the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import UnixMs
from settlement.banks.dialects import dialect_of
from settlement.partner_bank.books import CLEARING
from settlement.snap import calls, fields, moments, signatures
from settlement.snap.calls import Call
from settlement.snap.codes import Service
from settlement.snap.fields import REQUESTS, Field
from tests.ledger.entries import SetClock
from tests.settlement import bad_values
from tests.settlement.banked import CONSENT, NOON, OPENED, OURS, SAVER, SECRET, SHOP, make_bank, make_vault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.partner import PartnerVault
    from settlement.partner_bank.bank import PartnerBank

AMOUNT = {"value": "10000.00", "currency": "IDR"}
AT = "2026-11-18T12:00:00+07:00"
GOOD: dict[str, Any] = {
    "partnerReferenceNo": "R", "accountNo": SAVER, "fromDateTime": AT, "toDateTime": AT, "beneficiaryBankCode": "014",
    "beneficiaryAccountNo": SHOP, "amount": AMOUNT, "sourceAccountNo": OURS, "transactionDate": AT, "remark": "R",
    "beneficiaryAccountName": "SARI", "bankCardToken": CONSENT, "partnerServiceId": "   88010", "customerNo": "12",
    "virtualAccountNo": "   8801012", "virtualAccountName": "SARI", "trxId": "T", "totalAmount": AMOUNT, "expiredDate": AT,
    "originalPartnerReferenceNo": "R", "serviceCode": "17", "authCode": "nobody",
    "merchantId": OURS, "tokenId": "nobody",
}  # fmt: skip
ASKED = [service for service in REQUESTS if service not in {Service.TOKEN, Service.VA_NOTIFY}]
EACH = [(service, field) for service in ASKED for field in REQUESTS[service]]


GRANT: dict[str, Any] = {"grantType": "client_credentials"}


class Caller:
    """A client made by hand, which may send anything."""

    def __init__(self, bank: PartnerBank, vault: PartnerVault) -> None:
        self.bank = bank
        self._vault = vault
        self._numbers = 0
        self._token = ""

    def token(self, body: dict[str, Any] | bytes = GRANT, **headers: str) -> str:
        proof = signatures.encoded(self._vault.signed("bni", signatures.token_text("ksh-client", AT)))
        told = {calls.TIMESTAMP: AT, calls.CLIENT_KEY: "ksh-client", calls.SIGNATURE: proof}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.bank.handle(
            Call(
                "POST",
                dialect_of("bni").path(Service.TOKEN),
                {name: value for name, value in told.items() if value},
                body if isinstance(body, bytes) else fields.written(body),
            )
        )
        read = fields.read_body(reply.body) or {}
        self._token = read.get("accessToken", "")
        return str(read["responseCode"])

    def ask(self, service: Service, body: dict[str, Any] | bytes, moved_ms: int = 0, **headers: str) -> str:
        if not self._token:
            self.token()
        self._numbers += 1
        sent = body if isinstance(body, bytes) else fields.written(body)
        path, said = dialect_of("bni").path(service), moments.written(UnixMs(NOON + moved_ms))
        text = signatures.service_text("POST", path, self._token, sent, said)
        told = {
            calls.AUTHORISATION: f"Bearer {self._token}", calls.TIMESTAMP: said, calls.SIGNATURE: signatures.symmetric(SECRET, text),
            calls.PARTNER: "KSH", calls.EXTERNAL_ID: str(self._numbers), calls.CHANNEL: "95221",
        }  # fmt: skip
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.bank.handle(
            Call("POST", path, {name: value for name, value in told.items() if value}, sent)
        )
        read = fields.read_body(reply.body)
        assert read is not None
        code: str = read["responseCode"]
        assert code[:3] == str(reply.status)
        return code


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    vault = make_vault(tmp_path_factory.mktemp("vault"))
    bank = make_bank(tmp_path_factory.mktemp("bank") / "bank.db", SetClock(NOON), vault)
    yield Caller(bank, vault)
    bank.books.close()


def good(service: Service, **changes: Any) -> dict[str, Any]:
    body = {field.name: GOOD[field.name] for field in REQUESTS[service]} | changes
    return {name: value for name, value in body.items() if value is not None}


def total(caller: Caller) -> tuple[int, int]:
    with caller.bank.books.session() as session:
        ours = session.account(OURS)
        assert ours is not None
        return session.total(), ours.balance


@pytest.mark.parametrize(
    ("service", "field"), EACH, ids=lambda one: one.name.lower() if isinstance(one, Service) else one.name
)
def test_each_field_missing_malformed_or_oversized_has_its_code(
    caller: Caller, service: Service, field: Field
) -> None:
    before = total(caller)
    missing, wrong = f"400{int(service):02d}02", f"400{int(service):02d}01"
    for codes, values in ((missing, bad_values.missing(field)), (wrong, bad_values.malformed(field))):
        told = [caller.ask(service, good(service, **{field.name: one})) for one in values]
        assert told == [codes] * len(values), list(zip(values, told, strict=True))
    assert total(caller) == before


@pytest.mark.parametrize("service", ASKED, ids=lambda one: one.name.lower())
def test_each_header_missing_or_wrong_has_its_code(caller: Caller, service: Service) -> None:
    code, body, before = f"{int(service):02d}", good(service), total(caller)
    assert caller.ask(service, body, Authorization="") == f"401{code}01"
    assert caller.ask(service, body, Authorization="Bearer nobody") == f"401{code}01"
    assert caller.ask(service, body, X_SIGNATURE="bm8=") == f"401{code}00"
    assert caller.ask(service, body, X_PARTNER_ID="OTHER") == f"401{code}00"
    assert caller.ask(service, body, moved_ms=-301_000) == f"401{code}00"
    assert caller.ask(service, body, moved_ms=301_000) == f"401{code}00"
    assert caller.ask(service, body, X_TIMESTAMP="today") == f"400{code}01"
    for name in ("X_TIMESTAMP", "X_SIGNATURE", "X_PARTNER_ID", "X_EXTERNAL_ID", "CHANNEL_ID"):
        assert caller.ask(service, body, 0, **{name: ""}) == f"400{code}02"
    for wrong in ("1x", "9" * 37):
        assert caller.ask(service, body, X_EXTERNAL_ID=wrong) == f"400{code}01"
    for sent in (b"", b"[]", b"{", b'{"a":1,"a":2}'):
        assert caller.ask(service, sent) == f"400{code}00"
    assert total(caller) == before


@pytest.mark.parametrize("service", [Service.BALANCE, Service.STATEMENT])
def test_an_account_is_named_by_its_number_or_by_a_consent_and_by_one_of_them_at_least(
    caller: Caller, service: Service
) -> None:
    code = f"{int(service):02d}"
    assert caller.ask(service, good(service, accountNo=None)) == f"200{code}00"
    assert caller.ask(service, good(service, accountNo=OURS, bankCardToken=None)) == f"200{code}00"
    assert caller.ask(service, good(service, accountNo=None, bankCardToken=None)) == f"400{code}02"
    assert caller.ask(service, good(service, bankCardToken=None)) == f"403{code}15"
    assert caller.ask(service, good(service, accountNo=None, bankCardToken="stolen")) == f"403{code}15"


def test_an_external_id_is_used_once_a_day(caller: Caller) -> None:
    body = good(Service.BALANCE)
    assert caller.ask(Service.BALANCE, body, X_EXTERNAL_ID="777777") == "2001100"
    assert caller.ask(Service.BALANCE, body, X_EXTERNAL_ID="777777") == "4091100"


def test_a_token_is_given_to_who_holds_the_key(caller: Caller) -> None:
    assert caller.token(X_SIGNATURE="bm8=") == "4017300"
    assert caller.token(X_CLIENT_KEY="somebody") == "4017300"
    assert caller.token(X_TIMESTAMP="2026-11-18T11:00:00+07:00") == "4017300"
    assert caller.token() == "2007300"


def test_each_field_and_header_of_a_token_missing_malformed_or_oversized_has_its_code(caller: Caller) -> None:
    missing: list[dict[str, Any]] = [{}, {"grantType": None}, {"grantType": ""}]
    assert [caller.token(one) for one in missing] == ["4007302"] * len(missing)
    wrong: list[object] = [7, True, [], {"a": 1}, "x" * 31, "line\nbreak", "password"]
    assert [caller.token({"grantType": one}) for one in wrong] == ["4007301"] * len(wrong)
    for sent in (b"", b"[]", b"{", b'{"a":1,"a":2}'):
        assert caller.token(sent) == "4007300"
    for name in ("X_TIMESTAMP", "X_CLIENT_KEY", "X_SIGNATURE"):
        assert caller.token(GRANT, **{name: ""}) == "4007302"
    assert caller.token(X_TIMESTAMP="today") == "4007301"


def test_no_service_is_left_out() -> None:
    """What is generated from the tables covers them: all but the token's and the notices' own, which have tests of theirs."""
    assert {*ASKED, Service.TOKEN, Service.VA_NOTIFY} == set(Service) == set(REQUESTS) == set(fields.ANSWERS)


def test_what_the_bank_does_not_do_has_its_code(caller: Caller) -> None:
    path = dialect_of("bni").path(Service.BALANCE)
    assert [
        caller.bank.handle(Call(method, where, {}, b"")).status
        for method, where in (("GET", path), ("POST", "/nowhere"))
    ] == [405, 405]


def test_an_order_that_cannot_be_done_has_its_code_and_moves_nothing(caller: Caller) -> None:
    before = total(caller)
    asked = {
        "4041711": good(Service.INTRABANK, partnerReferenceNo="X1", sourceAccountNo="404"),
        "4031714": good(
            Service.INTRABANK, partnerReferenceNo="X2", amount={"value": "1000001.00", "currency": "IDR"}
        ),
        "4031702": good(
            Service.INTRABANK, partnerReferenceNo="X3", amount={"value": "250000001.00", "currency": "IDR"}
        ),
    }
    assert [caller.ask(Service.INTRABANK, body) for body in asked.values()] == list(asked)
    assert caller.ask(Service.INTERBANK, good(Service.INTERBANK, beneficiaryBankCode="999")) == "4041803"
    assert caller.ask(Service.DIRECT_DEBIT, good(Service.DIRECT_DEBIT, bankCardToken="stolen")) == "4045411"
    assert caller.ask(Service.STATUS, good(Service.STATUS, originalPartnerReferenceNo="never")) == "4043601"
    assert caller.ask(Service.VIRTUAL_ACCOUNT, good(Service.VIRTUAL_ACCOUNT, customerNo="13")) == "4042712"
    assert total(caller) == before


def test_a_reference_moves_money_once(caller: Caller) -> None:
    body = good(Service.INTERBANK, partnerReferenceNo="ONCE")
    assert [caller.ask(Service.INTERBANK, body) for _ in range(2)] == ["2001800", "4091801"]
    assert (
        caller.ask(Service.INTERBANK, {**body, "amount": {"value": "1.00", "currency": "IDR"}}) == "4041818"
    )
    asked = {"originalPartnerReferenceNo": "ONCE", "serviceCode": "18"}
    assert [caller.ask(one, asked) for one in (Service.STATUS, Service.DEBIT_STATUS)] == [
        "2003600",
        "4045501",
    ]
    with caller.bank.books.session() as session:
        clearing = session.account(CLEARING)
        assert clearing is not None
        assert (session.done("ONCE"), clearing.balance) == (1, 1_000_000)
        assert session.total() == 3 * OPENED
