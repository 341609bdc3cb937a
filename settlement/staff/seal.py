"""What the database may not show in the clear, sealed with the key of a file beside it (AES-256-GCM, bound to whose it is).

A copy of the database alone, a backup or an export, so opens no authenticator. A seal names its form in its first byte, which is authenticated; what was
sealed before forms had numbers, which is the same without it, is opened too and sealed anew at the next sign-in.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.filevault import write_atomically
from settlement.errors import StaffKeyWrong

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
FORM: Final = b"\x01"
"""AES-256-GCM with a random nonce of 12 bytes; another algorithm is another number."""
_NONCE_BYTES: Final = 12


class Seal:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "Seal()"

    def seal(self, name: str, text: str) -> bytes:
        """A text, for one person."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return FORM + nonce + self._cipher.encrypt(nonce, text.encode(), FORM + name.encode())

    def opened(self, name: str, sealed: bytes) -> str:
        """What was sealed for a person; raises StaffKeyWrong where this key or this person is another."""
        text, _ = self.read(name, sealed)
        return text

    def read(self, name: str, sealed: bytes) -> tuple[str, bool]:
        """The same, and whether it is in the form of today; raises StaffKeyWrong."""
        if sealed.startswith(FORM):
            found = self._decrypted(sealed[len(FORM) :], FORM + name.encode())
            if found is not None:
                return found, True
        found = self._decrypted(sealed, name.encode())  # a nonce may begin like a form
        if found is None:
            raise StaffKeyWrong(
                f"the authenticator of {name} is sealed with another key: bring back the file staff.key, or reset {name}"
            )
        return found, False

    def _decrypted(self, body: bytes, whose: bytes) -> str | None:
        try:
            return self._cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], whose).decode()
        except (InvalidTag, ValueError):
            return None


def seal_of(path: Path) -> Seal:
    """The seal of a file, which is made where it is not there; raises StaffKeyWrong where it is no key."""
    if not path.exists():
        write_atomically(path, secrets.token_bytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise StaffKeyWrong(f"{path.name} is no key of {KEY_BYTES} bytes: bring the file back from backup")
    return Seal(key)
