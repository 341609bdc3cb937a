"""A vault in one encrypted file: scrypt (RFC 7914) over the passphrase, AES-256-GCM over the keys, the header authenticated.

Written whole to a temporary name, flushed, and renamed, under a lock beside it: a crash leaves the old file or the new one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys.clock import SystemClock, UnixMs
from keys.cmac import BLOCK, aes_cmac
from keys.diversify import card_input, diversify_aes128
from keys.errors import KeyMissing, KeyMisused, VaultError, VaultLocked
from keys.softkey import SoftKey
from keys.vault import KeyInfo, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cryptography import x509

COST: Final = 2**15
"""scrypt's N: about 0.1 s and 32 MiB a guess."""
CHECK_VALUE_BYTES: Final = 5
VERSION_MAX: Final = 255
_MAGIC: Final = "ksh-vault-1"
_COST_MAX: Final = 2**20
_CARD_KEYS_MAX: Final = 1_024
"""Diversified keys kept ready; past that the cache starts afresh."""


class FileVault:
    """A vault in a file; make one with `create`, open one with `open`."""

    def __init__(self, path: Path, secret: AESGCM, header: list[Any], content: dict[str, Any]) -> None:
        self._path = path
        self._secret = secret
        self._header = header
        self._masters: dict[Role, dict[int, tuple[bytes, UnixMs]]] = {
            Role(role): {version: (value, UnixMs(made)) for version, value, made in held}
            for role, held in content["masters"].items()
        }
        self._signers: dict[str, tuple[Ed25519PrivateKey, UnixMs]] = {
            label: (Ed25519PrivateKey.from_private_bytes(value), UnixMs(made))
            for label, (value, made) in content["signers"].items()
        }
        self._ready: dict[tuple[Role, int, bytes], SoftKey] = {}

    def __repr__(self) -> str:
        return f"<FileVault {self._path.name}>"

    @classmethod
    def create(cls, path: Path, passphrase: str, cost: int = COST) -> Self:
        """A new, empty vault; raises VaultError where a file is there already."""
        if path.exists():
            raise VaultError(f"{path.name} exists: a vault is never written over; choose another name")
        header = [_MAGIC, cost, secrets.token_bytes(16)]
        vault = cls(path, _secret(passphrase, header), header, {"masters": {}, "signers": {}})
        vault._write()
        return vault

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open a vault; raises VaultLocked for a wrong passphrase or a file that is not what was written."""
        try:
            header, nonce, sealed = cbor2.loads(path.read_bytes())
            if header[0] != _MAGIC or not 1 < header[1] <= _COST_MAX:
                raise VaultLocked(f"{path.name} is no vault that this software wrote")
            secret = _secret(passphrase, header)
            content = cbor2.loads(secret.decrypt(nonce, sealed, cbor2.dumps(header)))
        except FileNotFoundError:
            raise VaultError(f"there is no vault {path.name}: hold a key ceremony first") from None
        except InvalidTag:
            raise VaultLocked(
                f"{path.name} does not open: wrong passphrase, or the file was changed"
            ) from None
        except (ValueError, TypeError, LookupError, cbor2.CBORDecodeError):
            raise VaultLocked(f"{path.name} is no vault: restore it from its backup") from None
        return cls(path, secret, header, content)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self) -> None:
        content = {
            "masters": {
                role.value: [[version, value, made] for version, (value, made) in held.items()]
                for role, held in self._masters.items()
            },
            "signers": {
                label: [key.private_bytes_raw(), made] for label, (key, made) in self._signers.items()
            },
        }
        nonce = secrets.token_bytes(12)
        sealed = self._secret.encrypt(nonce, cbor2.dumps(content), cbor2.dumps(self._header))
        with self._locked():
            write_atomically(self._path, cbor2.dumps([self._header, nonce, sealed]))

    def add_master(self, role: Role, version: int, value: bytes) -> None:
        """Take in a master key of 16 bytes, as a ceremony made it; raises KeyMisused where that version exists."""
        if len(value) != BLOCK or not 0 <= version <= VERSION_MAX:
            raise KeyMisused(f"a master key has {BLOCK} bytes and a version from 0 to {VERSION_MAX}")
        held = self._masters.setdefault(role, {})
        if version in held:
            raise KeyMisused(
                f"{role} version {version} exists: a key is never written over; take the next version"
            )
        held[version] = (value, SystemClock().now())
        self._write()

    def generate_signing_key(self, label: str) -> None:
        """Make an Ed25519 key that never leaves this vault; raises KeyMisused where the label is taken."""
        if label in self._signers:
            raise KeyMisused(f"a signing key {label!r} exists: take another label")
        self._signers[label] = (Ed25519PrivateKey.generate(), SystemClock().now())
        self._write()

    def subset(self, path: Path, passphrase: str, roles: Iterable[Role], cost: int = COST) -> FileVault:
        """A terminal's vault: the masters of its roles, no signing key.

        Raises KeyMisused for the Transaction MAC key, which exists in the ledger's vault alone (DESIGN law 11).
        """
        wanted = list(roles)
        if Role.TRANSACTION_MAC in wanted:
            raise KeyMisused("the Transaction MAC key stays in the ledger's vault: no terminal may hold it")
        vault = FileVault.create(path, passphrase, cost)
        vault._masters = {role: dict(self._held(role)) for role in wanted}  # noqa: SLF001  its own class
        vault._write()  # noqa: SLF001  its own class
        return vault

    def _held(self, role: Role) -> dict[int, tuple[bytes, UnixMs]]:
        held = self._masters.get(role)
        if not held:
            raise KeyMissing(f"this vault holds no {role} key: is it the right vault for this terminal?")
        return held

    def card_key(self, role: Role, version: int, uid: bytes) -> SoftKey:
        """The diversified key of one card; raises KeyMissing."""
        name = (role, version, uid)
        ready = self._ready.get(name)
        if ready is None:
            held = self._held(role)
            if version not in held:
                raise KeyMissing(f"this vault holds no {role} key of version {version}: update it")
            value = diversify_aes128(held[version][0], card_input(uid, role.key_no, version))
            ready = SoftKey(value, version)
            if len(self._ready) >= _CARD_KEYS_MAX:
                self._ready.clear()
            self._ready[name] = ready
        return ready

    def current(self, role: Role) -> int:
        """The version for new cards; raises KeyMissing."""
        return max(self._held(role))

    def versions(self, role: Role) -> list[int]:
        """All versions held, newest first; empty where the role is not held."""
        return sorted(self._masters.get(role, ()), reverse=True)

    def _signer(self, label: str) -> Ed25519PrivateKey:
        if label not in self._signers:
            raise KeyMissing(f"this vault holds no signing key {label!r}")
        return self._signers[label][0]

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""
        return self._signer(label).sign(message)

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""
        return self._signer(label).public_key().public_bytes_raw()

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""
        return builder.sign(self._signer(label), None)

    def contents(self) -> list[KeyInfo]:
        """What the vault holds, without saying secrets."""
        masters = [
            KeyInfo(role.value, role, version, check_value(value), made)
            for role, held in self._masters.items()
            for version, (value, made) in sorted(held.items())
        ]
        signers = [
            KeyInfo(label, None, 0, key.public_key().public_bytes_raw()[:CHECK_VALUE_BYTES], made)
            for label, (key, made) in self._signers.items()
        ]
        return masters + signers

    def shows_in(self, data: bytes) -> bool:
        """True where a secret of this vault stands in some bytes: what leak checks ask."""
        masters = [value for held in self._masters.values() for value, _ in held.values()]
        signers = [key.private_bytes_raw() for key, _ in self._signers.values()]
        lowered = data.lower()
        return any(secret in data or secret.hex().encode() in lowered for secret in masters + signers)


def check_value(key: bytes) -> bytes:
    """Key check value: CMAC of zeros, first 5 bytes."""
    return aes_cmac(key, bytes(BLOCK))[:CHECK_VALUE_BYTES]


def _secret(passphrase: str, header: list[Any]) -> AESGCM:
    _, cost, salt = header
    return AESGCM(Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode()))


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
