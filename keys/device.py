"""A terminal's own key: made on the device, sealed with the device's secret, and renewed without ever leaving it.

Sealed with AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) draws from the secret. The secret lies outside the terminal's folder: whoever copies
the folder has certificates, records and sealed keys, and can neither sign nor touch a card.
"""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING, Final

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keys import cbor
from keys.errors import CborMalformed, IdentityError
from keys.sealedfile import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

SECRET_BYTES: Final = 32
CERTIFICATE_FILE: Final = "certificate.pem"
_MAGIC: Final = "ksh-terminal-key-1"
_FILE_BYTES_MAX: Final = 4096


def device_secret(path: Path) -> bytes:
    """The device's secret, drawn at random where the file is not there yet; readable by its owner alone.

    Raises IdentityError where the file holds fewer than 32 bytes: it stands for a key, and is not stretched.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, secrets.token_bytes(SECRET_BYTES))
    _own(path)
    secret = path.read_bytes()[:_FILE_BYTES_MAX]
    if len(secret) < SECRET_BYTES:
        raise IdentityError(
            f"{path.name} holds {len(secret)} bytes: a device secret has {SECRET_BYTES} random ones"
        )
    return secret


def secret_beside(folder: Path) -> Path:
    """Where a device without a better place keeps its secret: beside the terminal's folder, never in it."""
    return folder.with_name(folder.name + ".secret")


def drawn(secret: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """A key of 32 bytes for one purpose, from the device's secret (HKDF-SHA256, RFC 5869)."""
    return HKDF(SHA256(), 32, salt or None, purpose.encode()).derive(secret)


def vault_passphrase(secret: bytes) -> str:
    """The passphrase of the device's own card keys, so that they too open on this device alone."""
    return base64.urlsafe_b64encode(drawn(secret, "device vault")).decode()


def _own(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


class TerminalIdentity:
    """A terminal's key and certificate in a folder; the key opens with the device's secret alone."""

    def __init__(self, folder: Path, secret: bytes | None = None) -> None:
        """Open the identity in a folder; makes the key where there is none yet. Without a secret, the one beside the folder.

        Raises IdentityError where the key was sealed on another device, or is none.
        """
        self._folder = folder
        self._secret = device_secret(secret_beside(folder)) if secret is None else secret
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._path().exists():
            self._seal(self._path(), Ed25519PrivateKey.generate())
        self._key = self._opened(self._path())
        self._finish_renewal()

    def __repr__(self) -> str:
        return f"<TerminalIdentity {self._folder.name}>"

    def _path(self, name: str = "identity.key") -> Path:
        return self._folder / name

    def _seal(self, path: Path, key: Ed25519PrivateKey) -> None:
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        cipher = AESGCM(drawn(self._secret, "terminal key", salt))
        sealed = cipher.encrypt(nonce, key.private_bytes_raw(), _MAGIC.encode())
        write_atomically(path, cbor2.dumps([_MAGIC, salt, nonce, sealed]))

    def _opened(self, path: Path) -> Ed25519PrivateKey:
        _own(path)
        try:
            magic, salt, nonce, sealed = cbor.decoded(path.read_bytes())
            cipher = AESGCM(drawn(self._secret, "terminal key", salt))
            return Ed25519PrivateKey.from_private_bytes(cipher.decrypt(nonce, sealed, magic.encode()))
        except InvalidTag:
            raise IdentityError(
                "the terminal's key was sealed on another device: give the device's secret, or enrol again"
            ) from None
        except (CborMalformed, ValueError, TypeError, AttributeError):
            raise IdentityError(f"{path.name} is no sealed key: enrol the terminal again") from None

    @property
    def public_key(self) -> bytes:
        """The raw 32 bytes of the public key in use."""
        return self._key.public_key().public_bytes_raw()

    def request(self) -> bytes:
        """A certificate request (PKCS#10, RFC 2986) for the key in use, PEM."""
        return _request(self._key)

    def next_request(self) -> bytes:
        """The same for the key that comes next; made once, so that a lost answer may be asked for again."""
        path = self._path("identity.next")
        if not path.exists():
            self._seal(path, Ed25519PrivateKey.generate())
        return _request(self._opened(path))

    def install(self, certificate: bytes) -> None:
        """Keep the certificate, PEM, and go over to its key; raises IdentityError where it is no key of this device."""
        try:
            key = x509.load_pem_x509_certificate(certificate).public_key()
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            raise IdentityError("the certificate cannot be read: ask for it again") from None
        public = key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else b""
        path = self._path("identity.next")
        ours = {self.public_key}
        if path.exists():
            ours.add(self._opened(path).public_key().public_bytes_raw())
        if public not in ours:
            raise IdentityError(
                "the certificate is for another device's key: ask for one with this device's request"
            )
        write_atomically(self._path(CERTIFICATE_FILE), certificate)
        self._finish_renewal()

    def _finish_renewal(self) -> None:
        """Once the certificate names the next key, that is the key in use: also after a crash in between."""
        path, certificate = self._path("identity.next"), self._path(CERTIFICATE_FILE)
        if not path.exists() or not certificate.exists():
            return
        key = self._opened(path)
        public = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
        if public == key.public_key():
            os.replace(path, self._path())  # noqa: PTH105  one step, as write_atomically does
            self._key = key

    def certificate(self) -> bytes:
        """The certificate, PEM; raises IdentityError where the terminal is not enrolled."""
        path = self._path(CERTIFICATE_FILE)
        if not path.exists():
            raise IdentityError("this terminal is not enrolled: ask the authority for a certificate")
        return path.read_bytes()

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._key.sign(message)


def _request(key: Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "terminal")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, None).public_bytes(Encoding.PEM)
