"""Notices of a bank: proofs checked, replays refused, a payment credited once, every field looked at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from keys.clock import UnixMs, moment
from keys.money import Rupiah, sen_of
from ledger.book import Ledger
from ledger.rules import AccountRules, RuleFlag
from settlement.banks import tables
from settlement.banks.notices import Notices, Teller
from settlement.snap import calls, fields, moments, signatures
from settlement.snap.calls import Call
from settlement.snap.codes import Service
from tests.ledger.entries import SetClock
from tests.settlement import bad_values
from tests.settlement.banked import AT_BANK, WALLET

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = rsa.generate_private_key(65537, 2048)
PEM = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
PATH = "/banks/bni/v1.0/transfer-va/payment"
NUMBER = "   88010" + "9360000900000012"
NOON = moment(datetime(2026, 11, 18, 12))  # noqa: DTZ001  the city's wall clock


def body(**changes: Any) -> dict[str, Any]:
    told = {
        "partnerServiceId": "   88010", "customerNo": "9360000900000012", "virtualAccountNo": NUMBER, "trxId": "T1", "paymentRequestId": "R1",
        "paidAmount": {"value": "50000.00", "currency": "IDR"}, "trxDateTime": "2026-11-18T11:59:00+07:00",
    }  # fmt: skip
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


def notice(
    told: dict[str, Any] | bytes,
    external_id: str = "1",
    moved_ms: int = 0,
    headers: dict[str, str] | None = None,
) -> Call:
    sent = told if isinstance(told, bytes) else fields.written(told)
    said = moments.written(UnixMs(NOON + moved_ms))
    proof = KEY.sign(
        signatures.asymmetric_text("POST", PATH, sent, said), padding.PKCS1v15(), hashes.SHA256()
    )
    made = {
        calls.TIMESTAMP: said, calls.SIGNATURE: signatures.encoded(proof), calls.PARTNER: "KSH", calls.EXTERNAL_ID: external_id,
        calls.CHANNEL: "95221", **(headers or {}),
    }  # fmt: skip
    return Call("POST", PATH, {name: value for name, value in made.items() if value}, sent)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path_factory.mktemp('notices') / 'ledger.db'}"
    Ledger.create(url, tables.metadata).close()
    with Ledger.open(url, SetClock(NOON)) as opened:
        yield opened


@pytest.fixture
def notices(books: Ledger) -> Notices:
    teller = Teller("bni", PEM, "KSH", lambda number: (AT_BANK, WALLET) if number == NUMBER else None)
    return Notices(books, {"bni": teller}, SetClock(NOON))


def code_of(notices: Notices, call: Call, bank: str = "bni") -> str:
    reply = notices.handle(bank, call)
    read = fields.read_body(reply.body)
    assert read is not None
    code: str = read["responseCode"]
    assert code.startswith(str(reply.status))
    return code


def test_a_payment_is_credited_once_however_often_it_is_told(notices: Notices, books: Ledger) -> None:
    before = books.balance(WALLET).credits_posted
    read = fields.read_body(notices.handle("bni", notice(body(), "10")).body)
    assert read is not None
    assert (read["responseCode"], read["virtualAccountData"]["paymentFlagStatus"]) == ("2002500", "00")
    assert code_of(notices, notice(body(), "10")) == "4092500"  # the same call again: a replay
    assert code_of(notices, notice(body(), "11")) == "2002500"  # the bank did not hear our answer
    assert code_of(notices, notice(body(paidAmount=fields.amount(sen_of(Rupiah(1)))), "12")) == "4042518"
    assert books.balance(WALLET).credits_posted - before == sen_of(Rupiah(50_000))


def test_a_notice_proves_who_sent_it_and_when(notices: Notices) -> None:
    good = body(paymentRequestId="R2")
    assert code_of(notices, notice(good, "20", headers={calls.SIGNATURE: "bm8="})) == "4012500"
    assert code_of(notices, notice(good, "20", headers={calls.PARTNER: "OTHER"})) == "4012500"
    assert code_of(notices, notice(good, "20", -301_000)) == "4012500"
    assert code_of(notices, notice(good, "20"), "bca") == "4012500"
    changed = notice(good, "20")
    assert (
        code_of(notices, Call("POST", PATH, changed.headers, changed.body.replace(b"50000", b"90000")))
        == "4012500"
    )
    for name in (calls.TIMESTAMP, calls.SIGNATURE, calls.PARTNER, calls.EXTERNAL_ID, calls.CHANNEL):
        assert code_of(notices, notice(good, "20", headers={name: ""})) == "4002502"
    for wrong in ("1a", "1" * 37):
        assert code_of(notices, notice(good, wrong)) == "4002501"
    assert code_of(notices, notice(b"[]", "20")) == "4002500"


@pytest.mark.parametrize("field", fields.REQUESTS[Service.VA_NOTIFY], ids=lambda field: field.name)
def test_each_field_is_looked_at(notices: Notices, field: fields.Field) -> None:
    code = code_of(notices, notice(body(**{field.name: None}), "30"))
    assert code == "4002502" if field.mandatory else code in {"2002500", "4092500"}
    for expected, values in (
        ("4002502", bad_values.missing(field)),
        ("4002501", bad_values.malformed(field)),
    ):
        told = [code_of(notices, notice(body(**{field.name: one}), "31")) for one in values]
        assert told == [expected] * len(values), list(zip(values, told, strict=True))


def test_an_account_that_may_not_take_it_is_told_and_nothing_moves(notices: Notices, books: Ledger) -> None:
    assert code_of(notices, notice(body(virtualAccountNo="   88010" + "9"), "40")) == "4042512"
    before = books.balance(WALLET)
    books.change_rules(WALLET, AccountRules(RuleFlag.DEBITS_WITHIN_CREDITS, ceiling=Rupiah(60_000)))
    try:
        assert code_of(notices, notice(body(paymentRequestId="R4"), "41")) == "4032502"
        assert books.balance(WALLET) == before
    finally:
        books.change_rules(WALLET, AccountRules(RuleFlag.DEBITS_WITHIN_CREDITS))
    # The bank has given the money back: neither the same call nor the same payment under a new id is credited now.
    assert code_of(notices, notice(body(paymentRequestId="R4"), "41")) == "4092500"
    assert code_of(notices, notice(body(paymentRequestId="R4"), "42")) == "4032502"
    other = fields.amount(sen_of(Rupiah(1)))
    assert code_of(notices, notice(body(paymentRequestId="R4", paidAmount=other), "43")) == "4042518"
    assert books.balance(WALLET) == before
