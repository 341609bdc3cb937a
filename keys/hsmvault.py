"""A vault in a PKCS#11 token (OASIS PKCS #11 v2.40), through python-pkcs11: keys are sensitive and cannot be extracted.

`keys.tokenstate` opens and changes it, `keys.tokenkey` derives card keys inside it, `keys.tokencopies` wraps keys once; here keys come in, are made, and are used.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from keys.cmac import BLOCK
from keys.inventory import check_made_here, check_size
from keys.pkcs11token import (
    ED25519,
    INSIDE,
    TokenSigner,
    asking,
    cbc,
    label_of,
)
from keys.softkey import CHECK_VALUE_BYTES, check_value
from keys.tokencopies import TokenCopies
from keys.vault import KeyInfo, KeyName, Purpose, Role

if TYPE_CHECKING:
    from cryptography import x509

_SIGNER_VERSION: Final = 0
_OCTETS_32: Final = b"\x04\x20"
"""DER: an octet string of 32 bytes, as EC_POINT is written."""


class HsmVault(TokenCopies):
    """A vault in a token; make one with `create`, open one with `open`, and `close` it. A context manager."""

    # Keys in, and made

    def add_key(self, name: KeyName, purpose: Purpose, value: bytes) -> KeyInfo:
        """Take in an AES key of 16, 24 or 32 bytes (a master has 16); raises KeyMisused. Its value passes through this process once."""
        check_size(purpose, value)
        with self._changing():
            self._make_room(name, purpose)
            kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES}
            made = self._session.create_object(
                self._template(name, purpose) | kind | {Attribute.VALUE: value}
            )
            self._close_up(name, purpose, made)
            return self._inventory.add(name, purpose, check_value(value))

    def add_master(self, role: Role, version: int, value: bytes) -> None:
        """Take in a master key of 16 bytes, as a ceremony made it; raises KeyMisused where that version exists."""
        self.add_key(KeyName(role.value, version), Purpose.CARD, value)

    def generate_key(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        """Make a random AES-128 key inside the token, where it stays; raises KeyMisused where that version exists."""
        check_made_here(purpose)
        with self._changing():
            self._make_room(name, purpose)
            made = self._session.generate_key(
                KeyType.AES,
                8 * BLOCK,
                store=True,
                label=label_of(name),
                template=self._template(name, purpose),
            )
            self._close_up(name, purpose, made)
            return self._noted(name, purpose)

    def generate_signing_key(self, label: str) -> None:
        """Make an Ed25519 key inside this token; raises KeyMisused where the label is taken.

        With a transport key at hand it is drawn in this process, so that it can be wrapped for a backup: no token wraps one that it made itself.
        """
        name = KeyName(label, _SIGNER_VERSION)
        with self._changing():
            self._make_room(name, Purpose.SIGN)
            under = self._wrapper()
            if under is None:
                self._generate_pair(name)
            else:
                self._import_pair(name, Ed25519PrivateKey.generate().private_bytes_raw(), under)
            self._inventory.add(name, Purpose.SIGN, self._public(name)[:CHECK_VALUE_BYTES])

    def _generate_pair(self, name: KeyName) -> None:
        curve = self._session.create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: ED25519}, local=True
        )
        curve.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            store=True,
            label=label_of(name),
            private_template=INSIDE,
        )

    def _import_pair(self, name: KeyName, seed: bytes, under: KeyName) -> None:
        """Put a pair in, and keep the seed wrapped: as an AES key for that one moment, for nothing else can be wrapped."""
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        pair = {
            Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.EC_PARAMS: ED25519, Attribute.TOKEN: True,
            Attribute.LABEL: label_of(name),
        }  # fmt: skip
        self._session.create_object(
            pair
            | INSIDE
            | {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: seed, Attribute.SIGN: True}
        )
        point = _OCTETS_32 + public
        self._session.create_object(
            pair
            | {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: point, Attribute.VERIFY: True}
        )
        kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES}
        passing = self._session.create_object(
            INSIDE | kind | {Attribute.EXTRACTABLE: True, Attribute.VALUE: seed}
        )
        self._keep_copy(name, under, passing)
        passing.destroy()

    def restore_signing_key(self, label: str, copy: bytes, under: KeyName) -> KeyInfo:
        """Take a backup's signing key in; its seed passes through this process. Raises KeyMissing, KeyMisused, KeyBlockError."""
        self._usable(under, Purpose.TRANSPORT)
        name = KeyName(label, _SIGNER_VERSION)
        with self._changing():
            self._make_room(name, Purpose.SIGN)
            readable = {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True, Attribute.TOKEN: False}
            passing = self._opened_copy(copy, under, store=False, template=readable)
            self._import_pair(name, passing[Attribute.VALUE], self._wrapper() or under)
            passing.destroy()
            return self._inventory.add(name, Purpose.SIGN, self._public(name)[:CHECK_VALUE_BYTES])

    def retire(self, role: Role, version: int) -> None:
        """Take a version out of use for good; raises KeyMissing, KeyMisused where no other version is in use."""
        with self._changing():
            self._inventory.retire(role, version)

    # Keys in use

    def cmac(self, name: KeyName, message: bytes) -> bytes:
        """AES-CMAC under a MAC key, 16 bytes; raises KeyMissing, KeyMisused."""
        self._usable(name, Purpose.MAC)
        with asking("make a MAC"):
            mac: bytes = self._object(name).sign(message, mechanism=Mechanism.AES_CMAC)
        return mac

    def encrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        self._usable(name, Purpose.CIPHER)
        with asking("encrypt"):
            return cbc(self._object(name).encrypt, data, iv)

    def decrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        self._usable(name, Purpose.CIPHER)
        with asking("decrypt"):
            return cbc(self._object(name).decrypt, data, iv)

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""
        name = KeyName(label, _SIGNER_VERSION)
        self._usable(name, Purpose.SIGN)
        with asking("sign"):
            key = self._object(name, ObjectClass.PRIVATE_KEY)
            signature: bytes = key.sign(message, mechanism=Mechanism.EDDSA)
        return signature

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""
        name = KeyName(label, _SIGNER_VERSION)
        self._usable(name, Purpose.SIGN)
        with asking("show a public key"):
            return self._public(name)

    def _public(self, name: KeyName) -> bytes:
        """EC_POINT is the raw key in a DER octet string."""
        key = self._session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=label_of(name))
        point: bytes = key[Attribute.EC_POINT]
        return point[-32:]

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""
        return builder.sign(TokenSigner(partial(self.sign, label), self.public_key(label)), None)
