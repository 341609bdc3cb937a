"""Payloads that payers present: public ones, every reason of refusal, round trips."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import QrReason, QrRefused
from ledger.qris import ber
from ledger.qris.ber import BerObject
from ledger.qris.presented import APPLICATION, FORMAT, QRIS_AID, VERSION, Presented, present

# EMVCo QRCPS Consumer-Presented 1.1, annex A: two applications and a common template; as mvallim/emv-qrcode has it in its tests.
EMVCO = (
    "hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0MWETTwegAAAAZmZmUAhQcm9kdWN0MmJJWggSNFZ4kBI0WF8gDkNBUkRIT0xERVIvRU1WXy0IcnVlc2RlZW5k"
    "IZ8QBwYBCgMAAACfJghYT9OF+iNLzJ82AgABnzcEbVjvEw=="
)
PAN = "9360099900000005028"


def reason_of(text: str) -> QrReason:
    with pytest.raises(QrRefused) as caught:
        Presented.read(text)
    return caught.value.reason


def encoded(*objects: BerObject) -> str:
    return base64.b64encode(ber.encode(objects)).decode()


def test_the_standards_example_round_trips_byte_for_byte() -> None:
    payload = Presented.read(EMVCO)
    assert payload.text() == EMVCO
    assert [one.aid.hex() for one in payload.applications] == ["a0000000555555", "a0000000666666"]
    assert dict(ber.parse(payload.objects[-1].value))[0x5A].hex() == "1234567890123458"


def test_a_payer_is_named_with_a_token_for_one_payment() -> None:
    payload = present(PAN, "HOLDER A", b"4F7K2M9Q", "kartu.semarangkota.go.id")
    application = Presented.read(payload.text()).applications[0]
    assert (application.aid, application.pan, application.name) == (QRIS_AID, PAN, "HOLDER A")
    assert application.token == b"4F7K2M9Q"


def test_each_fault_has_its_reason() -> None:
    head, aid = BerObject(FORMAT, VERSION), BerObject(0x4F, QRIS_AID)
    application = ber.encode([aid])
    assert reason_of("no base64!") is QrReason.NOT_TEXT
    assert reason_of(EMVCO[:-3] + "x==") is QrReason.NOT_TEXT
    assert reason_of("A" * 513) is QrReason.TOO_LONG
    assert reason_of("") is QrReason.FORMAT_UNKNOWN
    assert reason_of(encoded(BerObject(FORMAT, b"CPV02"))) is QrReason.FORMAT_UNKNOWN
    assert reason_of(encoded(head)) is QrReason.ACCOUNT_MISSING
    assert reason_of(encoded(head, BerObject(APPLICATION, application))) is QrReason.FIELD_INVALID
    assert reason_of(encoded(head, BerObject(APPLICATION, application * 2))) is QrReason.TAG_REPEATED
    assert reason_of(encoded(head, BerObject(APPLICATION, b"\x4f\x09\x01"))) is QrReason.LENGTH_OVERRUN
    assert reason_of(base64.b64encode(b"\x85\x81\x05CPV01").decode()) is QrReason.LENGTH_INVALID
    assert reason_of(base64.b64encode(b"\x85\x05CPV01\x9f").decode()) is QrReason.LENGTH_INVALID
    with pytest.raises(QrRefused, match="account number"):
        present("12ab", "HOLDER", b"1")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_refused_with_a_reason(data: bytes) -> None:
    for text in (base64.b64encode(data).decode(), base64.b64encode(b"\x85\x05CPV01" + data).decode()):
        try:
            assert Presented.read(text).text() == text
        except QrRefused as refused:
            assert refused.reason in QrReason


@given(
    st.lists(
        st.tuples(st.sampled_from([0x4F, 0x61, 0x9F25, 0x5F20, 0x85]), st.binary(max_size=255)), max_size=6
    )
)
def test_ber_objects_round_trip(objects: list[tuple[int, bytes]]) -> None:
    named = tuple(BerObject(*one) for one in objects)
    assert ber.parse(ber.encode(named)) == named
