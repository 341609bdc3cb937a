"""The standard's codecs: the public vector, minifying, fields, response codes, times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from keys.money import Sen
from settlement.snap import fields, moments, signatures
from settlement.snap.codes import CASES, ResponseCode, Service, Verdict

VECTOR = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "snap-bi-symmetric.json"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)  # fmt: skip


def test_the_public_vector_of_the_symmetric_signature() -> None:
    if not VECTOR.exists():
        pytest.skip("the public vector is not there: shared/vectors/snap-bi-symmetric.json")
    told = json.loads(VECTOR.read_text(encoding="utf-8"))
    spaced = json.dumps(json.loads(told["minifiedBody"]), indent=2).encode()
    for body in (told["minifiedBody"].encode(), spaced):
        text = signatures.service_text(
            told["method"], told["path"], told["accessToken"], body, told["timestamp"]
        )
        assert signatures.symmetric(told["clientSecret"].encode(), text) == told["signature"]
        assert signatures.is_symmetric(told["clientSecret"].encode(), text, told["signature"])
        assert not signatures.is_symmetric(b"another secret", text, told["signature"])


@given(JSON, st.sampled_from([None, 1, 2, "\t"]))
def test_minifying_keeps_what_was_said_and_its_order(value: object, indent: int | str | None) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    assert signatures.minified(body) == json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def test_white_space_within_texts_stays() -> None:
    assert signatures.minified(b'{ "a" : "b  c\\" d" , "e":1.50 }') == b'{"a":"b  c\\" d","e":1.50}'


def test_an_asymmetric_signature_is_that_of_its_key_alone() -> None:
    one, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    text = signatures.token_text("client", "2026-11-18T12:00:00+07:00")
    assert text == b"client|2026-11-18T12:00:00+07:00"
    said = signatures.encoded(one.sign(text, padding.PKCS1v15(), hashes.SHA256()))
    pems = [
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
        for key in (one, other)
    ]
    assert [signatures.is_asymmetric(pem, text, said) for pem in pems] == [True, False]
    assert not signatures.is_asymmetric(pems[0], text + b"0", said)
    assert not signatures.is_asymmetric(pems[0], text, "no base64!")


def test_response_codes_are_taken_apart_and_put_together() -> None:
    code = ResponseCode.parse("4031714")
    assert code is not None
    assert tuple(code) == (403, Service.INTRABANK, 14)
    assert (str(code), code.title, code.verdict) == ("4031714", "Insufficient Funds", Verdict.REFUSED)
    assert [
        ResponseCode.parse(text) for text in ("403171", "40317144", "1001700", "4o31714", 4031714, None)
    ] == [None] * 6


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("2001700", Verdict.DONE), ("2021700", Verdict.UNDER_WAY), ("4001701", Verdict.REFUSED), ("4031714", Verdict.REFUSED),
        ("4041711", Verdict.REFUSED), ("4011701", Verdict.NOT_NOW), ("4291700", Verdict.NOT_NOW), ("4091701", Verdict.UNKNOWN),
        ("4091700", Verdict.UNKNOWN), ("4041718", Verdict.UNKNOWN), ("5001700", Verdict.UNKNOWN), ("5041700", Verdict.UNKNOWN), ("5991799", Verdict.UNKNOWN),
    ],
)  # fmt: skip
def test_a_code_says_what_became_of_the_money(code: str, verdict: Verdict) -> None:
    parsed = ResponseCode.parse(code)
    assert parsed is not None
    assert parsed.verdict is verdict


def test_every_case_of_an_error_of_the_server_leaves_the_outcome_open() -> None:
    servers = [ResponseCode(status, 17, case).verdict for status, case in CASES if status >= 500]
    assert servers == [Verdict.UNKNOWN] * 4


@given(st.integers(0, 10**15 - 1))
def test_amounts_are_written_as_the_standard_has_them(sen: int) -> None:
    said = fields.amount(Sen(sen))
    assert fields.sen_of(said) == sen
    assert said["currency"] == "IDR"


@pytest.mark.parametrize("value", [None, [], "1.00", {"value": "1", "currency": "IDR"}, {"value": "1.000", "currency": "IDR"},
    {"value": "-1.00", "currency": "IDR"}, {"value": 1.0, "currency": "IDR"}, {"value": "1.00", "currency": "USD"}, {"value": "1.00"}])  # fmt: skip
def test_what_is_no_amount_is_none(value: object) -> None:
    assert fields.sen_of(value) is None


def test_times_have_their_zone() -> None:
    at = moments.read("2024-03-05T10:37:16.196Z")
    assert at is not None
    assert moments.written(at) == "2024-03-05T17:37:16+07:00"
    wrong = (
        "2024-03-05T10:37:16",
        "2024-13-05T10:37:16Z",
        "2024-03-05 10:37:16Z",
        "",
        "2024-03-05T10:37:16+7:00",
    )
    assert [moments.read(text) for text in wrong] == [None] * 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"a":"' + b"x" * 70_000 + b'"}',
    ],
)
def test_a_body_that_is_no_object_is_none(body: bytes) -> None:
    assert fields.read_body(body) is None


@pytest.mark.parametrize(("bits", "taken"), [(1024, False), (2040, False), (2048, True), (3072, True)])
def test_a_signature_of_a_key_with_fewer_bits_than_snap_asks_for_is_not_taken(bits: int, taken: bool) -> None:
    key = rsa.generate_private_key(65537, bits)
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    made = signatures.encoded(key.sign(b"text", padding.PKCS1v15(), hashes.SHA256()))
    assert signatures.is_asymmetric(public, b"text", made) is taken
