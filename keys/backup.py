"""A vault's backup: its content under a random key (AES-256-GCM), and that key in shares on paper (`keys.shamir`).

A share is a line of hexadecimal: the backup's mark (4 bytes), the share's number, 32 bytes, and a checksum (4 bytes of SHA-256), so that a
mistyped share is found at once.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import cbor, shamir
from keys.errors import CborMalformed, ShareError
from keys.filevault import FileVault
from keys.sealedfile import HUMAN_COST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SHARES: Final = 5
SHARES_NEEDED: Final = 3
_KIND: Final = "ksh-backup-1"
_KEY_BYTES: Final = 32
_MARK_BYTES: Final = 4
_SHARE_BYTES: Final = _MARK_BYTES + 1 + _KEY_BYTES + 4


class Share:
    """One custodian's share; `text` is what goes on paper, and shows nowhere else."""

    __slots__ = ("_value", "mark", "number")

    def __init__(self, mark: bytes, number: int, value: bytes) -> None:
        self.mark, self.number, self._value = mark, number, value

    def __repr__(self) -> str:
        return f"<Share {self.number} of backup {self.mark.hex()}>"

    @property
    def text(self) -> str:
        """The share as a line of hexadecimal, in groups of eight."""
        body = self.mark + bytes((self.number,)) + self._value
        line = (body + hashlib.sha256(body).digest()[:4]).hex()
        return " ".join(line[at : at + 8] for at in range(0, len(line), 8))

    @classmethod
    def parse(cls, text: str) -> Share:
        """A share from paper; raises ShareError where it was mistyped, without repeating it."""
        try:
            whole = bytes.fromhex(text)
        except ValueError:
            whole = b""
        body = whole[:-4]
        if len(whole) != _SHARE_BYTES or hashlib.sha256(body).digest()[:4] != whole[-4:]:
            raise ShareError("the share is not what was written down: its checksum differs; enter it again")
        return cls(body[:_MARK_BYTES], body[_MARK_BYTES], body[_MARK_BYTES + 1 :])

    @property
    def value(self) -> bytes:
        """The share's bytes, for putting the key together."""
        return self._value


def make(vault: FileVault) -> tuple[bytes, list[Share]]:
    """A backup's bytes, and the five shares of its key; any three open it."""
    key, mark, nonce = (
        secrets.token_bytes(_KEY_BYTES),
        secrets.token_bytes(_MARK_BYTES),
        secrets.token_bytes(12),
    )
    header = [_KIND, mark, vault.name, vault.generation]
    sealed = AESGCM(key).encrypt(nonce, cbor2.dumps(vault.content()), cbor2.dumps(header))
    shares = shamir.split(key, SHARES_NEEDED, SHARES)
    return cbor2.dumps([header, nonce, sealed]), [Share(mark, at, one) for at, one in shares.items()]


def restore(
    data: bytes,
    shares: Sequence[Share],
    path: Path,
    passphrase: str,
    cost: int = HUMAN_COST,
    before: Callable[[FileVault], None] = lambda _: None,
) -> FileVault:
    """A vault in a new file, from a backup and three shares; `before` is told of it before it holds, and may raise.

    Raises ShareError, VaultError where a file is there.
    """
    header, nonce, sealed = _parts(data)
    numbers = {one.number: one.value for one in shares}
    if len(numbers) < SHARES_NEEDED or any(one.mark != header[1] for one in shares):
        raise ShareError(
            f"it takes {SHARES_NEEDED} different shares marked {header[1].hex()}: ask other custodians"
        )
    try:
        content = AESGCM(shamir.joined(numbers)).decrypt(nonce, sealed, cbor2.dumps(header))
    except InvalidTag:
        raise ShareError("the shares do not open the backup: it was changed; take another copy") from None
    return FileVault.restored(path, passphrase, cost, cbor.decoded(content), before)


def _parts(data: bytes) -> tuple[list[Any], bytes, bytes]:
    try:
        header, nonce, sealed = cbor.decoded(data)
        kind, mark, _, _ = header
        sound = kind == _KIND and isinstance(mark, bytes)
    except (ValueError, TypeError, CborMalformed):
        sound = False
    if not sound:
        raise ShareError("the file is no backup of a vault: take another copy")
    return header, nonce, sealed
