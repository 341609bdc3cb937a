"""What is signed in SNAP, and how (Bank Indonesia, *Standar Nasional Open API Pembayaran*, technical and security standard, section on signatures).

token      SHA256withRSA(client id | timestamp)
service    HMAC-SHA512(METHOD:path:token:lowercase hex of SHA-256 of the minified body:timestamp), base64
asymmetric SHA256withRSA over the same text without the token
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

RSA_BITS_MIN: Final = 2048
"""As strong as 112 bits; what a bank signs with is the bank's choice above that."""
# A string of JSON, which stays as it is, or white space between tokens.
_PARTS: Final = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


def minified(body: bytes) -> bytes:
    """A JSON text without white space between its tokens; order, numbers and escapes stay as they were sent."""
    return _PARTS.sub(lambda found: found[1] or b"", body)


def token_text(client_id: str, timestamp: str) -> bytes:
    """What is signed to ask for a token."""
    return f"{client_id}|{timestamp}".encode()


def service_text(method: str, path: str, token: str, body: bytes, timestamp: str) -> bytes:
    """What is signed with each call, symmetrically; `path` with its query, without the host."""
    return f"{method}:{path}:{token}:{_digest(body)}:{timestamp}".encode()


def asymmetric_text(method: str, path: str, body: bytes, timestamp: str) -> bytes:
    """What is signed with each call, asymmetrically: no token in it."""
    return f"{method}:{path}:{_digest(body)}:{timestamp}".encode()


def symmetric(secret: bytes, text: bytes) -> str:
    """HMAC-SHA512 as the header has it."""
    return encoded(hmac.digest(secret, text, hashlib.sha512))


def is_symmetric(secret: bytes, text: bytes, signature: str) -> bool:
    """True where a signature is this secret's; compared in constant time."""
    return hmac.compare_digest(symmetric(secret, text).encode(), signature.encode())


def is_asymmetric(public_pem: str, text: bytes, signature: str) -> bool:
    """True where a signature is that of a public RSA key, which has at least the bits that SNAP asks for."""
    key = serialization.load_pem_public_key(public_pem.encode())
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def encoded(signature: bytes) -> str:
    """A signature as headers carry it."""
    return base64.b64encode(signature).decode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(minified(body)).hexdigest()
