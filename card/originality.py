"""The chip maker's signature: says that a chip is NXP's own, not that it is the city's. Pure.

Source: NXP AN12343, section on the asymmetric originality check, table 44: ECDSA on secp224r1 over the UID itself, unhashed.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP224R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA224

SIGNATURE_BYTES: Final = 56
NXP_DESFIRE_LIGHT: Final = bytes.fromhex(
    "040e98e117aaa36457f43173dc920a8757267f44ce4ec5add3c54075571aebbf7b942a9774a1d94ad02572427e5ae0a2dd36591b1fb34fcf3d"
)
"""NXP's public key of MIFARE DESFire Light (AN12343, table 44)."""
_HALF: Final = SIGNATURE_BYTES // 2


def genuine(uid: bytes, signature: bytes, public_key: bytes = NXP_DESFIRE_LIGHT) -> bool:
    """Whether the signature that ReadSignature gave is the chip maker's for this UID."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    key = EllipticCurvePublicKey.from_encoded_point(SECP224R1(), public_key)
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    # The UID stands where a digest would: left-padded to a digest's size it is the same number.
    message = uid.rjust(SHA224.digest_size, b"\0")
    try:
        key.verify(encode_dss_signature(r, s), message, ECDSA(Prehashed(SHA224())))
    except InvalidSignature:
        return False
    return True
