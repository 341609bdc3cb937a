"""Where keys live: a vault uses a key by name and version, and never gives its value (law 11).

One protocol for the encrypted file (`keys/filevault.py`) and for PKCS#11 tokens (`keys/hsmvault.py`); one suite of tests holds both to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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


HANDED_OUT: Final = (Role.READ, Role.DEBIT)
"""Masters that terminals hold a copy of, sealed to the device; all others stay in the city's vault."""
TRANSPORT: Final = "transport"
"""Label of the transport keys that custodians bring, to carry keys between vaults."""


class Purpose(StrEnum):
    """The one thing that a key of a vault may be used for (NIST SP 800-57 part 1, section 5.2)."""

    CARD = "card"
    """A master key: card keys are derived from it (AN10922), nothing else."""
    MAC = "mac"
    CIPHER = "cipher"
    TRANSPORT = "transport"
    """Wraps other keys on their way to another vault."""
    SIGN = "sign"


class KeyName(NamedTuple):
    """A key of a vault; the label of a card's master key is its role."""

    label: str
    version: int


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a vault says of a key: never a secret. A signing key's check value is the start of its public key."""

    label: str
    role: Role | None
    version: int
    check_value: bytes
    created: UnixMs
    purpose: Purpose = Purpose.CARD
    retired: UnixMs | None = None


@dataclass(frozen=True, slots=True)
class VaultRecord:
    """A vault's state at one moment, for somebody else to keep: what shows that a vault was put back to an older one."""

    name: str
    generation: int
    digest: bytes


class Recorded(Protocol):
    """A vault as a witness sees it: its state, and whether another state is an earlier one of it."""

    def record(self) -> VaultRecord:
        """The state now, to be kept outside the vault."""

    def check_against(self, record: VaultRecord) -> None:
        """Raises VaultRolledBack where this vault is not the recorded one, or a later state of it; VaultSwapped for another name."""


class Witness(Protocol):
    """Somebody outside of a vault who keeps its newest state, and is told of each before it holds: an older copy never passes for it."""

    def known(self) -> dict[str, VaultRecord]:
        """The newest states of all vaults, by their names."""

    def note(self, vault: Recorded) -> None:
        """Keep a vault's state, durably; raises VaultRolledBack where it has left the history that is known."""


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
        """The diversified key of one card; raises KeyMissing, KeyRetired."""

    def current(self, role: Role) -> int:
        """The version for new cards; raises KeyMissing."""

    def versions(self, role: Role) -> list[int]:
        """All versions in use, newest first; empty where the role is not held."""

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""

    def contents(self) -> list[KeyInfo]:
        """What the vault holds, without saying secrets."""


class KeyVault(Vault, Recorded, Protocol):
    """All that a custodian's vault can do; cards, terminals and ledger need only a `Vault`."""

    @property
    def generation(self) -> int:
        """How often the vault has been changed."""

    def next_version(self, label: str) -> int:
        """The version that a new key of this label takes."""

    def derived(self, role: Role, version: int, m: bytes) -> CardKey:
        """The key that AN10922 derives from a master and an input of 1 to 31 bytes; raises KeyMissing, KeyRetired, KeysError."""

    def cmac(self, name: KeyName, message: bytes) -> bytes:
        """AES-CMAC under a MAC key, 16 bytes; raises KeyMissing, KeyMisused."""

    def encrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""

    def decrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""

    def wrap(self, name: KeyName, under: KeyName) -> bytes:
        """A key wrapped under a transport key (AES key wrap, RFC 3394); raises KeyMissing, KeyMisused."""

    def unwrap(self, name: KeyName, purpose: Purpose, wrapped: bytes, under: KeyName) -> KeyInfo:
        """Take a wrapped key in; raises KeyMissing, KeyMisused, KeyBlockError."""

    def add_master(self, role: Role, version: int, value: bytes) -> None:
        """Take in a master key of 16 bytes; raises KeyMisused where that version exists."""

    def add_key(self, name: KeyName, purpose: Purpose, value: bytes) -> KeyInfo:
        """Take in an AES key of 16, 24 or 32 bytes (a master has 16); raises KeyMisused."""

    def generate_key(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        """Make a random AES-128 key inside the vault; raises KeyMisused where that version exists."""

    def generate_signing_key(self, label: str) -> None:
        """Make an Ed25519 key that never leaves this vault; raises KeyMisused where the label is taken."""

    def retire(self, role: Role, version: int) -> None:
        """Take a version out of use for good; raises KeyMissing, KeyMisused where no other version is in use."""


class CityVault(KeyVault, Protocol):
    """The vault of a whole city, in a file or in a token: it gives terminals the masters that they hold, sealed, and carries keys in blocks."""

    def subset(
        self, path: Path, passphrase: str, roles: Iterable[Role], cost: int = ..., name: str | None = None
    ) -> KeyVault:
        """A terminal's vault in a new file: the masters in use of its roles, bound to `name`; raises KeyMissing, KeyMisused."""

    def handed_out(self, roles: Iterable[Role], to: bytes, context: bytes) -> bytes:
        """The masters in use of some roles, sealed to a device's X25519 key; raises KeyMissing, KeyMisused, KeyBlockError."""

    def export_block(self, name: KeyName, under: KeyName) -> str:
        """A master key as an X9.143 key block, version D, under a transport key; raises KeyMissing, KeyMisused."""

    def import_block(self, block: str, under: KeyName) -> KeyInfo:
        """Take in a master key from an X9.143 key block; raises KeyMissing, KeyMisused, KeyBlockError."""

    def shows_in(self, data: bytes) -> bool:
        """True where a secret of this vault that this process can know stands in some bytes: what leak checks ask."""

    def close(self) -> None:
        """Use it no more."""
