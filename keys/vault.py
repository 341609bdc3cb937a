"""Where keys live: a vault uses a key by role, version and card, and never gives its value (DESIGN law 11).

One protocol for the encrypted file (`keys/filevault.py`) and, later, for PKCS#11 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography import x509

    from keys.clock import UnixMs


class Role(StrEnum):
    """What a card key is for; each has one purpose."""

    MASTER = "master"
    READ = "read"
    DEBIT = "debit"
    LOAD = "load"
    META_READ = "meta-read"
    FILE_READ = "file-read"
    TRANSACTION_MAC = "transaction-mac"
    PICC = "picc"

    @property
    def key_no(self) -> int:
        """Number of the key in the card's application; 0x0F and 0x10 stand outside its key set."""
        return _KEY_NUMBERS[self]


_KEY_NUMBERS = {
    Role.MASTER: 0,
    Role.READ: 1,
    Role.DEBIT: 2,
    Role.LOAD: 3,
    Role.META_READ: 4,
    Role.FILE_READ: 5,
    Role.TRANSACTION_MAC: 0x0F,
    Role.PICC: 0x10,
}


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a vault says of a key: never a secret."""

    label: str
    role: Role | None
    version: int
    check_value: bytes
    created: UnixMs


class CardKey(Protocol):
    """One card's key, in use; its value never leaves the vault."""

    @property
    def version(self) -> int:
        """Version of the master key that it comes from."""

    def cmac(self, message: bytes) -> bytes:
        """AES-CMAC, 16 bytes."""

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """AES-CBC over whole blocks, unpadded."""

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """AES-CBC over whole blocks, unpadded."""

    def sealed(self, session_key: bytes, iv: bytes, old: CardKey | None) -> bytes:
        """This key, encrypted for a card that holds the EV2 session key: ChangeKey, CreateTransactionMACFile.

        Plain text (AN12343 tables 39 and 40), padded by ISO/IEC 9797-1 method 2: key, version; with `old`: key XOR old key,
        version, CRC32 of the key.
        """


class Vault(Protocol):
    """Keys in use by name; see `keys.errors.VaultError` for what can go wrong."""

    def card_key(self, role: Role, version: int, uid: bytes) -> CardKey:
        """The diversified key of one card; raises KeyMissing."""

    def current(self, role: Role) -> int:
        """The version for new cards; raises KeyMissing."""

    def versions(self, role: Role) -> list[int]:
        """All versions held, newest first; empty where the role is not held."""

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""

    def contents(self) -> list[KeyInfo]:
        """What the vault holds, without saying secrets."""
