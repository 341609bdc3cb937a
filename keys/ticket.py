"""What the back office hands to whoever sets a terminal up: one line with its number, a code for one use, and whose ledger it is.

The last part is the fingerprint of the terminal authority, so that the device takes no certificate from a ledger that merely answered first.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keys.errors import IdentityError

ENROLMENT_CONTENT_TYPE: Final = "application/ksh-enrolment+cbor"
"""CBOR [code, request (PKCS#10, PEM)], sealed with the new key itself under the terminal's number."""
RENEWAL_CONTENT_TYPE: Final = "application/ksh-renewal+cbor"
"""CBOR [asked at, request (PKCS#10, PEM)], sealed with the key of the certificate that is to be renewed."""
CODE_CHARS: Final = 16
"""80 bits: nobody guesses that, and a plain digest of it tells nothing."""
FINGERPRINT_CHARS: Final = 16
TICKET_CHARS_MAX: Final = 64
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for another."""
_MISREAD: Final = str.maketrans("OIL", "011")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A terminal's number, its code, and the first 80 bits of the authority's fingerprint."""

    terminal: int
    code: str
    fingerprint: str

    @classmethod
    def drawn(cls, terminal: int, root: bytes) -> Ticket:
        """A new code at random, for the authority of a root certificate (PEM)."""
        code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_CHARS))
        return cls(terminal, code, fingerprint(root))

    @classmethod
    def read(cls, text: str) -> Ticket:
        """From what somebody typed, in any case; raises IdentityError."""
        parts = text.strip().upper().translate(_MISREAD).split("-")
        terminal, rest = parts[0], "".join(parts[1:])
        whole = terminal.isdecimal() and len(rest) == CODE_CHARS + FINGERPRINT_CHARS
        if len(text) > TICKET_CHARS_MAX or not whole or not set(rest) <= set(_ALPHABET):
            raise IdentityError(
                "this is no enrolment code: type it as `hebat terminals invite` printed it, hyphens and all"
            )
        return cls(int(terminal), rest[:CODE_CHARS], rest[CODE_CHARS:])

    def __str__(self) -> str:
        rest = self.code + self.fingerprint
        return "-".join([str(self.terminal), *(rest[at : at + 4] for at in range(0, len(rest), 4))])

    def __repr__(self) -> str:
        return f"<Ticket of terminal {self.terminal}>"


def fingerprint(root: bytes) -> str:
    """The first 80 bits of the SHA-256 of a certificate (PEM), in Crockford's base 32."""
    der = x509.load_pem_x509_certificate(root).public_bytes(Encoding.DER)
    number = int.from_bytes(hashlib.sha256(der).digest()[:10], "big")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(FINGERPRINT_CHARS)))


def code_digest(terminal: int, code: str) -> bytes:
    """What is stored of a code."""
    return hashlib.sha256(f"{terminal}:{code}".encode()).digest()
