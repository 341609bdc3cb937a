"""Keys towards partner banks, in a vault of their own: an RSA key that proves us for a token, and the secret shared for signing calls.

Bank Indonesia's open payment API (SNAP) wants SHA256withRSA and HMAC-SHA512, which no card needs. As with every vault, a key is used by name and
never given (law 11): what can be asked for are signatures and the public key, which the bank is told.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from keys.errors import KeyMissing, KeyMisused, VaultLocked
from keys.sealedfile import COST, SealedFile

if TYPE_CHECKING:
    from pathlib import Path

RSA_BITS: Final = 3072
"""As strong as 128 bits (NIST SP 800-57 part 1, table 2). A key that was made before keeps its 2,048, which SNAP takes too, until the line is made anew."""
SECRET_BYTES_MIN: Final = 16
_KIND: Final = "ksh-partners-1"


class PartnerKeys(Protocol):
    """Keys towards partners, in use by the partner's name; each raises KeyMissing where there are none."""

    def signed(self, partner: str, message: bytes) -> bytes:
        """SHA256withRSA (RSASSA-PKCS1-v1_5, RFC 8017) under our key towards a partner."""

    def mac(self, partner: str, message: bytes) -> bytes:
        """HMAC-SHA512 under the secret shared with a partner."""

    def public_key(self, partner: str) -> str:
        """Our public key towards a partner, PEM: what the partner is told."""


class PartnerVault:
    """`PartnerKeys` in an encrypted file (`keys.sealedfile`)."""

    def __init__(self, file: SealedFile, content: dict[str, Any]) -> None:
        """Raises VaultLocked where the content is not that of such a vault."""
        self._file = file
        try:
            self._keys = {name: _loaded(pem) for name, (pem, _) in content.items()}
            self._secrets: dict[str, bytes] = {name: secret for name, (_, secret) in content.items()}
        except (TypeError, ValueError):
            raise VaultLocked(
                f"{file.path.name} holds no keys towards banks: restore it from its backup"
            ) from None
        self._content = content

    def __repr__(self) -> str:
        return f"<PartnerVault {self._file.path.name}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a vault is not pickled: its keys would leave it; open it where it is needed")

    @classmethod
    def create(cls, path: Path, passphrase: str, cost: int = COST) -> Self:
        """A new, empty vault; raises VaultError where a file is there already."""
        file = SealedFile.create(path, _KIND, passphrase, cost, path.name)
        file.write({})
        return cls(file, {})

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open a vault; raises VaultError, VaultLocked."""
        file = SealedFile.open(path, _KIND, passphrase)
        return cls(file, file.read())

    def add(self, partner: str, secret: bytes) -> str:
        """Take in the secret that a partner gave, and make our RSA key towards it; the public key, PEM.

        Raises KeyMisused where the partner has keys already, or the secret is too short.
        """
        if len(secret) < SECRET_BYTES_MIN:
            raise KeyMisused(
                f"a secret of {len(secret)} bytes: a partner's secret has at least {SECRET_BYTES_MIN}"
            )
        key = rsa.generate_private_key(65537, RSA_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with self._file.locked():
            content = self._file.read()
            if partner in content:
                raise KeyMisused(
                    f"there are keys towards {partner} already: take another name, or remove them first"
                )
            content[partner] = [pem, secret]
            self._file.write(content)
        self._content = content
        self._keys[partner], self._secrets[partner] = key, secret
        return self.public_key(partner)

    def partners(self) -> list[str]:
        """Whom there are keys towards."""
        return sorted(self._keys)

    def signed(self, partner: str, message: bytes) -> bytes:
        """SHA256withRSA (RSASSA-PKCS1-v1_5, RFC 8017) under our key towards a partner."""
        return self._key(partner).sign(message, padding.PKCS1v15(), hashes.SHA256())

    def mac(self, partner: str, message: bytes) -> bytes:
        """HMAC-SHA512 under the secret shared with a partner."""
        self._key(partner)
        return hmac.digest(self._secrets[partner], message, hashlib.sha512)

    def public_key(self, partner: str) -> str:
        """Our public key towards a partner, PEM: what the partner is told."""
        public = self._key(partner).public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return public.public_bytes(serialization.Encoding.PEM, form).decode()

    def _key(self, partner: str) -> rsa.RSAPrivateKey:
        found = self._keys.get(partner)
        if found is None:
            raise KeyMissing(f"there are no keys towards {partner}: add them with `hebat bank add`")
        return found


def _loaded(pem: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError
    return key
