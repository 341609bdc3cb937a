"""QR codes: the public samples, every reason of refusal, round trips, mutations."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.money import Rupiah, Sen, sen_of
from ledger.errors import QrReason, QrRefused
from ledger.qris.classes import MerchantClass, class_of
from ledger.qris.code import CRC_HEAD, Irregularity, QrisCode
from ledger.qris.crc import crc
from ledger.qris.merchant import Additional, Method, Tip, TipKind
from ledger.qris.tlv import DataObject, encode, parse
from ledger.qris.writing import Acquirer, Merchant, dynamic_code, static_code

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "qris.json"
KOFIE = (
    "0002010102122654000200011893600014300061643802150008850006164380303UKE5204541153033605405495005802ID5913OMBE KOFIE-HO"
    "6013JAKARTA UTARA6105142406259010611093205121100131109320708AG20521199170002000107DINAMIS63049414"
)
DONUTS = (
    "00020101021226580006id.ovo01189360091200006049620215yq38ZDs7MI6oaz50303UKE51450015ID.OR.GPNQR.WWW0215ID10200416988350303UKE"
    "520458125303360540650000055020357030.75802ID5911Tims Donuts6013Jakarta Barat61051161062310507VCcCtqJ0716HgxK16eFVHfvKnGO6304265F"
)
SHOP = Merchant(
    (Acquirer("ID.GO.SEMARANG.WWW", "936009990000000502", "502", "UMI"),), "ID1020304050607", "5499",
    "Lumpia Gang Lombok", "Kota Semarang", "50137", {Additional.TERMINAL: "K19"},
)  # fmt: skip


def samples(which: str) -> list[str]:
    if not DATA.exists():
        pytest.skip("the public samples are not there: shared/data/qris.json")
    found: list[str] = json.loads(DATA.read_text(encoding="utf-8"))[which]
    return found


def signed(body: str) -> str:
    return body + CRC_HEAD + crc(body + CRC_HEAD)


def reason_of(text: str) -> QrReason:
    with pytest.raises(QrRefused) as caught:
        QrisCode.read(text)
    return caught.value.reason


def changed(**values: str | None) -> str:
    """The coffee shop's code with data objects replaced, added (before the checksum) or taken out, and its checksum made good."""
    objects = dict(QrisCode.read(KOFIE).objects)
    for name, value in values.items():
        objects[name[1:]] = value or ""
    return signed("".join(f"{tag}{len(value):02d}{value}" for tag, value in objects.items() if value))


def test_every_valid_public_code_round_trips_byte_for_byte() -> None:
    codes = samples("valid")
    assert len(codes) == 11
    for text in codes:
        assert QrisCode.read(text).text() == text


def test_every_invalid_public_code_is_refused_for_its_checksum() -> None:
    assert [reason_of(text) for text in samples("invalid")] == [QrReason.CRC_MISMATCH] * 4


def test_a_dynamic_code_tells_what_is_paid_to_whom() -> None:
    code = QrisCode.read(KOFIE)
    assert (code.method, code.amount, code.merchant_name, code.city) == (
        Method.DYNAMIC, sen_of(Rupiah(49_500)), "OMBE KOFIE-HO", "JAKARTA UTARA",
    )  # fmt: skip
    assert code.accounts[0].pan == "936000143000616438"
    assert (code.merchant_class, code.additional_of(Additional.BILL)) == ("UKE", "110932")
    assert dict(code.additional)["99"] == "0002000107DINAMIS"  # a template of the acquirer's own, kept
    assert Irregularity.NMID_MISSING in code.irregularities


def test_a_tip_in_percent_is_reckoned_to_the_sen() -> None:
    code = QrisCode.read(DONUTS)
    assert code.tip == Tip(TipKind.PERCENT, 70)
    assert code.amount is not None
    assert code.tip.on(code.amount) == sen_of(Rupiah(3_500))
    assert code.tip.on(Sen(50)) == 0
    assert code.tip.on(Sen(72)) == 1  # 0.504 sen, half up
    assert code.nmid == "ID1020041698835"


@pytest.mark.parametrize(
    ("text", "sen"),
    [
        ("49500", 4_950_000),
        ("39000.00", 3_900_000),
        ("10.5", 1_050),
        ("98.", 9_800),
        ("0.01", 1),
        ("10000000", 10**9),
    ],
)
def test_amounts_stand_with_and_without_decimals(text: str, sen: int) -> None:
    code = QrisCode.read(changed(_54=text))
    assert code.amount == sen
    assert dict(code.objects)["54"] == text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_54": "1,5"}, QrReason.AMOUNT_INVALID),
        ({"_54": "1.555"}, QrReason.AMOUNT_INVALID),
        ({"_54": "0.00"}, QrReason.AMOUNT_INVALID),
        ({"_54": "-5"}, QrReason.AMOUNT_INVALID),
        ({"_54": "1e5"}, QrReason.AMOUNT_INVALID),
        ({"_54": "٣٥٠٠"}, QrReason.AMOUNT_INVALID),
        ({"_54": "00000000000000"}, QrReason.AMOUNT_INVALID),
        ({"_54": "10000000.01"}, QrReason.AMOUNT_OVER_LIMIT),
        ({"_53": "365"}, QrReason.CURRENCY_OTHER),
        ({"_58": "MY"}, QrReason.COUNTRY_OTHER),
        ({"_01": "13"}, QrReason.METHOD_UNKNOWN),
        ({"_00": "02"}, QrReason.FORMAT_UNKNOWN),
        ({"_26": None}, QrReason.ACCOUNT_MISSING),
        ({"_26": "0010ID"}, QrReason.LENGTH_OVERRUN),
        ({"_52": None}, QrReason.FIELD_MISSING),
        ({"_53": None}, QrReason.FIELD_MISSING),
        ({"_58": None}, QrReason.FIELD_MISSING),
        ({"_59": None}, QrReason.FIELD_MISSING),
        ({"_60": None}, QrReason.FIELD_MISSING),
        ({"_55": "04"}, QrReason.TIP_INVALID),
        ({"_55": "03"}, QrReason.TIP_INVALID),
        ({"_55": "02", "_57": "1"}, QrReason.TIP_INVALID),
        ({"_56": "1000"}, QrReason.TIP_INVALID),
        ({"_55": "03", "_57": "0.00"}, QrReason.TIP_INVALID),
        ({"_55": "03", "_57": "100"}, QrReason.TIP_INVALID),
        ({"_62": "0105A"}, QrReason.LENGTH_OVERRUN),
    ],
)
def test_each_fault_has_its_reason(change: dict[str, Any], reason: QrReason) -> None:
    assert reason_of(changed(**change)) is reason


def test_faults_of_form_have_their_reasons() -> None:
    body = KOFIE[:-8]
    assert reason_of("") is QrReason.CRC_MISSING
    assert reason_of("https://example.org/pay") is QrReason.CRC_MISSING
    assert reason_of(KOFIE[:-1]) is QrReason.CRC_MISSING
    assert reason_of(KOFIE[:-4] + KOFIE[-4:].lower().replace("9414", "9415")) is QrReason.CRC_MISMATCH
    assert reason_of("0" * 513) is QrReason.TOO_LONG
    assert reason_of(KOFIE + "\n") is QrReason.NOT_TEXT
    assert reason_of(signed(body + "5802ID")) is QrReason.TAG_REPEATED
    assert reason_of(signed(body + "8O02ID")) is QrReason.LENGTH_INVALID
    assert reason_of(signed(body + "8000")) is QrReason.LENGTH_INVALID
    assert reason_of(signed(body + "8099ID")) is QrReason.LENGTH_OVERRUN
    assert reason_of(signed(body[6:])) is QrReason.FORMAT_UNKNOWN


def test_a_checksum_in_small_letters_is_another_text_and_refused() -> None:
    assert reason_of(DONUTS[:-1] + "f") is QrReason.CRC_MISMATCH


def test_unknown_data_objects_stay_in_their_places() -> None:
    text = changed(_80="0010A000000727", _99="anything", _65="1")
    assert QrisCode.read(text).text() == text
    assert [one.tag for one in QrisCode.read(text).objects][-3:] == ["80", "99", "65"]


def test_what_is_printed_in_the_field_is_told_not_refused() -> None:
    code = QrisCode.read(
        changed(_52="111", _59="INFAQ/SEDEKAH AMANAH ASTRA", _60="K" * 16, _61="1" * 11, _01=None)
    )
    assert set(code.irregularities) == set(Irregularity) - {Irregularity.NMID}
    assert code.method is Method.STATIC


def test_a_shops_static_code_leaves_the_amount_to_the_payer() -> None:
    code = static_code(SHOP)
    assert QrisCode.read(code.text()) == code
    assert (code.amount, code.method, code.irregularities) == (None, Method.STATIC, ())
    assert code.merchant_class == MerchantClass.UMI


def test_a_code_is_not_written_that_could_not_be_paid() -> None:
    with pytest.raises(QrRefused) as over:
        dynamic_code(SHOP, Sen(10**9 + 1), "INV-1")
    assert over.value.reason is QrReason.AMOUNT_OVER_LIMIT
    with pytest.raises(QrRefused) as long:
        static_code(Merchant(SHOP.accounts, SHOP.nmid, "5499", "N" * 26, "Kota", "50137"))
    assert long.value.reason is QrReason.LENGTH_OVERRUN


@pytest.mark.parametrize("text", [KOFIE, DONUTS])
def test_each_changed_byte_is_refused_or_another_code(text: str) -> None:
    """CRC-16 finds every change of one byte: none is read as anything."""
    for at in range(len(text)):
        for other in {"0", "9", "A", "~", chr(ord(text[at]) ^ 1), chr(ord(text[at]) ^ 64)} - {text[at]}:
            with pytest.raises(QrRefused):
                QrisCode.read(text[:at] + other + text[at + 1 :])


TIPS = st.one_of(
    st.none(),
    st.just(Tip(TipKind.ASKED)),
    st.integers(1, 10**9).map(lambda sen: Tip(TipKind.FIXED, sen)),
    st.integers(1, 9_999).map(lambda hundredths: Tip(TipKind.PERCENT, hundredths)),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=25)
VALUES = st.text(string.printable[:95], min_size=1, max_size=99)


@given(TEXTS, st.integers(1, 10**9), TIPS, st.text(string.ascii_letters + string.digits, max_size=25))
def test_what_is_written_is_read_again(name: str, sen: int, tip: Tip | None, bill: str) -> None:
    shop = Merchant(SHOP.accounts, SHOP.nmid, "5499", name, "Kota Semarang", "50137", SHOP.additional)
    code = dynamic_code(shop, Sen(sen), bill, tip)
    again = QrisCode.read(code.text())
    assert (again.text(), again.amount, again.tip, again.merchant_name) == (code.text(), sen, tip, name)
    assert again.additional_of(Additional.BILL) == bill


@given(st.lists(st.tuples(st.integers(0, 99), VALUES), unique_by=lambda one: one[0], max_size=12))
def test_data_objects_round_trip_in_any_order(objects: list[tuple[int, str]]) -> None:
    named = tuple(DataObject(f"{tag:02d}", value) for tag, value in objects)
    assert parse(encode(named)) == named


@given(st.text(max_size=200))
def test_any_text_is_a_code_or_refused_with_a_reason(text: str) -> None:
    for one in (text, signed("000201" + text) if text.isprintable() else text):
        try:
            assert QrisCode.read(one).text() == one
        except QrRefused as refused:
            assert refused.reason in QrReason


def test_classes_of_older_codes_are_known_by_their_names() -> None:
    names = [class_of(code) for code in ("URE", "UMI", "GOV", "", "XXX")]
    assert names == [MerchantClass.UBE, MerchantClass.UMI, MerchantClass.GOV, None, None]
