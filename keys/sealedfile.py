"""A file that only a passphrase opens: scrypt (RFC 7914), AES-256-GCM (NIST SP 800-38D), the header authenticated.

Written whole to a name beside it, flushed, and renamed, under a lock: a crash leaves the old file or the new one. Between `prepare` and `put` somebody
else may be told of what comes; a crash there leaves both, and `prepared` reads the one that was to come.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys import cbor
from keys.errors import CborMalformed, VaultError, VaultLocked, VaultSwapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COST: Final = 2**15
"""scrypt's N for a passphrase that a machine drew: 32 MiB and a tenth of a second a guess."""
HUMAN_COST: Final = 2**17
"""scrypt's N for a passphrase that people chose: 128 MiB a guess (OWASP's least); docs/decisions/0010-vaults.md has the measured time."""
_COST_MAX: Final = HUMAN_COST
"""No file that this software wrote asks for more; one that does would only keep the processor busy before it is refused."""
_NONCE_BYTES: Final = 12


class SealedFile:
    """A file of one kind, bound to one name; `read` and `write` its content as CBOR."""

    def __init__(self, path: Path, header: list[Any], secret: AESGCM) -> None:
        self.path = path
        self._header = header
        self._secret = secret

    def __repr__(self) -> str:
        return f"<SealedFile {self.path.name}>"

    @property
    def name(self) -> str:
        """Whose file this is: written in its header, and authenticated."""
        return str(self._header[3])

    @classmethod
    def create(cls, path: Path, kind: str, passphrase: str, cost: int, name: str) -> Self:
        """Ready to be written the first time; raises VaultError where a file is there already."""
        if path.exists():
            raise VaultError(f"{path.name} exists: a vault is never written over; choose another name")
        header = [kind, cost, secrets.token_bytes(16), name]
        return cls(path, header, _secret(passphrase, header))

    @classmethod
    def open(cls, path: Path, kind: str, passphrase: str, name: str | None = None) -> Self:
        """Open a file; `read` proves the passphrase.

        Raises VaultError where it is missing, VaultLocked where it is no file of this kind, VaultSwapped where it is
        another's than `name`.
        """
        header, _, _ = _parts(path, kind)
        if name is not None and header[3] != name:
            raise VaultSwapped(
                f"{path.name} belongs to {header[3]}, not to {name}: the files were swapped; put the right one back"
            )
        return cls(path, header, _secret(passphrase, header))

    def read(self) -> Any:
        """The content; raises VaultLocked for a wrong passphrase or a changed file."""
        return self._read(self.path)

    def stamp(self) -> tuple[int, int] | None:
        """Which file stands there now: another one after each `put`; None where there is none. A look that costs a few microseconds."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def prepared(self) -> Any:
        """What was to come when a crash came first; None where there is nothing whole."""
        try:
            return self._read(beside(self.path))
        except VaultError:
            return None

    def _read(self, path: Path) -> Any:
        header, nonce, sealed = _parts(path, self._header[0])
        try:
            return cbor.decoded(self._secret.decrypt(nonce, sealed, cbor2.dumps(header)))
        except (InvalidTag, CborMalformed):
            raise VaultLocked(
                f"{self.path.name} does not open: wrong passphrase, or the file was changed; "
                "try again, then restore it from its backup"
            ) from None

    def write(self, content: Any) -> None:
        """Write the content, whole or not at all."""
        self.prepare(content)
        self.put()

    def prepare(self, content: Any) -> None:
        """Make a new content durable beside the one that holds."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._secret.encrypt(nonce, cbor2.dumps(content), cbor2.dumps(self._header))
        _write_durably(beside(self.path), cbor2.dumps([self._header, nonce, sealed]))

    def put(self) -> None:
        """Let the prepared content hold; durable when this returns."""
        _put(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else who asks for this lock reads and writes meanwhile, in this process or another."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _parts(path: Path, kind: str) -> tuple[list[Any], bytes, bytes]:
    try:
        header, nonce, sealed = cbor.decoded(path.read_bytes())
        known, cost, salt, name = header
    except FileNotFoundError:
        raise VaultError(
            f"there is no vault {path}: hold a key ceremony first, or restore a backup"
        ) from None
    except (ValueError, TypeError, CborMalformed):
        raise VaultLocked(f"{path.name} is no vault: restore it from its backup") from None
    sound = isinstance(salt, bytes) and isinstance(name, str) and isinstance(cost, int)
    if known != kind or not sound or not 1 < cost <= _COST_MAX or cost & (cost - 1):
        raise VaultLocked(f"{path.name} is no vault that this software wrote: restore it from its backup")
    if not isinstance(nonce, bytes) or len(nonce) != _NONCE_BYTES or not isinstance(sealed, bytes):
        raise VaultLocked(f"{path.name} is no vault: restore it from its backup")
    return header, nonce, sealed


def _secret(passphrase: str, header: list[Any]) -> AESGCM:
    _, cost, salt, _ = header
    return AESGCM(Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode()))


def beside(path: Path) -> Path:
    """Where the next content of a file waits."""
    return path.with_name(path.name + ".new")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    _write_durably(beside(path), data)
    _put(path)


def _write_durably(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(path: Path) -> None:
    beside(path).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
