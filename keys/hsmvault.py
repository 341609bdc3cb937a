"""A vault in a PKCS#11 token (OASIS PKCS #11 v2.40), through python-pkcs11: keys are sensitive and cannot be extracted.

`keys.tokenstate` opens and changes it, `keys.tokenkey` derives card keys inside it; here keys come in, are made, are wrapped once, and are used.

A key that comes in while the token holds a transport key is wrapped under it before it is made non-extractable, for good: that copy, which only a vault
with the same transport key opens, is what a backup holds and what another city may get. Without a transport key there is no copy.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from keys.cmac import BLOCK
from keys.errors import KeyBlockError, KeyMisused
from keys.inventory import check_made_here, check_size
from keys.pkcs11token import (
    ED25519,
    INSIDE,
    TokenSigner,
    asking,
    cbc,
    check_value_of,
    label_of,
    template_of,
)
from keys.softkey import CHECK_VALUE_BYTES, check_value
from keys.tokenkey import CardKeys
from keys.vault import TRANSPORT, KeyInfo, KeyName, Purpose, Role

if TYPE_CHECKING:
    from cryptography import x509

_SIGNER_VERSION: Final = 0
_OCTETS_32: Final = b"\x04\x20"
"""DER: an octet string of 32 bytes, as EC_POINT is written."""
_WRAPPED: Final = "ksh-wrapped/"
"""Label, before the key's own, of the data object that holds a key's wrapped copies."""


class HsmVault(CardKeys):
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

    def _noted(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        check = check_value_of(self._object(name), purpose)
        return self._inventory.add(name, purpose, check)

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

    # Wrapped copies

    def _wrapper(self, purpose: Purpose | None = None) -> KeyName | None:
        """The newest transport key; none for a transport key, which never leaves."""
        if purpose is Purpose.TRANSPORT:
            return None
        newest = self._inventory.next_version(TRANSPORT) - 1
        return KeyName(TRANSPORT, newest) if newest else None

    def _template(self, name: KeyName, purpose: Purpose) -> dict[Attribute, Any]:
        """As the key is born: it can be wrapped until `_close_up`, where there is a transport key for that."""
        wrappable = self._wrapper(purpose) is not None
        return template_of(name, purpose) | {Attribute.EXTRACTABLE: wrappable}

    def _close_up(self, name: KeyName, purpose: Purpose, born: Any) -> None:
        """Wrap a key that was just born, keep the copy, and make the key one that cannot be extracted: PKCS#11 knows no way back."""
        under = self._wrapper(purpose)
        if under is None:
            return
        self._keep_copy(name, under, born)
        born[Attribute.EXTRACTABLE] = False

    def _keep_copy(self, name: KeyName, under: KeyName, key: Any) -> None:
        copy: bytes = self._object(under).wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP)
        label = _WRAPPED + label_of(name)
        for older in list(self._session.get_objects({Attribute.LABEL: label})):
            older.destroy()
        self._session.create_object(
            {
                Attribute.CLASS: ObjectClass.DATA,
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.LABEL: label,
                Attribute.VALUE: cbor2.dumps([*under, copy]),
            }
        )

    def wrapped(self, name: KeyName) -> tuple[KeyName, bytes] | None:
        """A key's copy from its birth, and the transport key that opens it; None where there was none then. Raises KeyMissing."""
        self._inventory.info(name)
        with asking("show a wrapped key"):
            found = list(self._session.get_objects({Attribute.LABEL: _WRAPPED + label_of(name)}))
            if not found:
                return None
            label, version, copy = cbor2.loads(found[0][Attribute.VALUE])
        return KeyName(label, version), copy

    def wrap(self, name: KeyName, under: KeyName) -> bytes:
        """The copy that was made of a key at its birth, where it is under this transport key; raises KeyMissing, KeyMisused."""
        self._usable(under, Purpose.TRANSPORT)
        copy = self.wrapped(name)
        if copy is None or copy[0] != under:
            raise KeyMisused(
                f"{name.label} version {name.version} lies in a token and cannot leave it: it was not made while "
                f"{under.label} version {under.version} was the newest transport key; enter its components in the other vault"
            )
        return copy[1]

    def unwrap(self, name: KeyName, purpose: Purpose, wrapped: bytes, under: KeyName) -> KeyInfo:
        """Take a wrapped key in, unwrapped inside the token; raises KeyMissing, KeyMisused, KeyBlockError."""
        check_made_here(purpose)
        self._usable(under, Purpose.TRANSPORT)
        with self._changing():
            self._make_room(name, purpose)
            made = self._opened_copy(
                wrapped, under, store=True, label=label_of(name), template=self._template(name, purpose)
            )
            self._close_up(name, purpose, made)
            return self._noted(name, purpose)

    def _opened_copy(self, wrapped: bytes, under: KeyName, **how: Any) -> Any:
        try:
            return self._object(under).unwrap_key(
                ObjectClass.SECRET_KEY, KeyType.AES, wrapped, mechanism=Mechanism.AES_KEY_WRAP, **how
            )
        except PKCS11Error:
            raise KeyBlockError(
                f"the wrapped key does not open under {under.label} version {under.version}: it was changed, or wrapped for another vault"
            ) from None

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
