"""Signed envelopes: the same bytes as an independent COSE library makes, and nothing else is taken."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cwt import COSE, COSEAlgs, COSEHeaders, COSEKey
from hypothesis import given
from hypothesis import strategies as st

from keys.envelope import parse, seal
from keys.errors import EnvelopeError, SignatureWrong

if TYPE_CHECKING:
    from cwt.cose_key_interface import COSEKeyInterface

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
KID = b"\x00\x00\x03\xe9"
OURS = seal(b"payload", kid=KID, sign=KEY.sign, content_type="application/x")


def independent(*, private: bool) -> COSEKeyInterface:
    if private:
        pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    else:
        pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return COSEKey.from_pem(pem.decode(), kid=KID, alg="EdDSA")


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=64))
def test_what_is_sealed_opens_again(payload: bytes, kid: bytes) -> None:
    message = parse(seal(payload, kid=kid, sign=KEY.sign, content_type="application/x"))
    assert (message.verify(PUBLIC), message.kid, message.content_type) == (payload, kid, "application/x")


def test_an_independent_library_reads_ours() -> None:
    assert COSE.new().decode(OURS, independent(private=False)) == b"payload"


def test_ours_reads_an_independent_librarys() -> None:
    theirs = COSE.new().encode_and_sign(
        b"payload",
        independent(private=True),
        protected={COSEHeaders.ALG: COSEAlgs.EDDSA, COSEHeaders.CTY: "application/x", COSEHeaders.KID: KID},
    )
    assert parse(theirs).verify(PUBLIC) == b"payload"


def test_every_flipped_bit_is_noticed() -> None:
    for place in range(8 * len(OURS)):
        changed = bytearray(OURS)
        changed[place // 8] ^= 1 << place % 8
        try:
            message = parse(bytes(changed))
        except EnvelopeError:
            continue
        with pytest.raises(SignatureWrong):
            message.verify(PUBLIC)


def test_another_terminals_key_did_not_sign_it() -> None:
    with pytest.raises(SignatureWrong):
        parse(OURS).verify(Ed25519PrivateKey.generate().public_key().public_bytes_raw())


protected, unprotected, payload, signature = cbor2.loads(OURS).value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\x9f" * 5000,
        OURS + b"\x00",
        OURS[:-1],
        cbor2.dumps([protected, {}, payload, signature]),
        cbor2.dumps(cbor2.CBORTag(17, [protected, {}, payload, signature])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {4: KID}, payload, signature])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload])),
        cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -7, 3: "x", 4: KID}), {}, payload, signature])),
        cbor2.dumps(
            cbor2.CBORTag(18, [cbor2.dumps({1: -8, 3: "x", 4: KID, 2: [99]}), {}, payload, signature])
        ),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {}, None, signature])),
        b"\xd8\x12" + OURS[1:],
    ],
    ids=itertools.count(),  # the signature differs from run to run, a test's name must not
)
def test_whatever_is_no_envelope_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(data)


@given(st.binary(max_size=400))
def test_garbage_is_refused_and_never_crashes(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        parse(data)


def test_every_value_of_every_byte_is_refused_in_a_sentence() -> None:
    taken = set()
    for place in range(len(OURS)):
        for value in range(256):
            changed = OURS[:place] + bytes([value]) + OURS[place + 1 :]
            try:
                parse(changed).verify(PUBLIC)
            except EnvelopeError:
                continue
            taken.add(changed)
    assert taken == {OURS}
