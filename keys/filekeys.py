"""Keys of a file vault: how they come in, are made, and are used. They are in this process's memory while it is open, and nowhere else in the clear."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.cmac import aes_cmac
from keys.diversify import card_input, diversify_aes128
from keys.filestate import FileState
from keys.inventory import check_made_here, check_size
from keys.softkey import SoftKey, check_value, random_key
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from cryptography import x509

    from keys.vault import KeyInfo

_CARD_KEYS_MAX: Final = 1_024
"""Diversified keys kept ready; past that the cache starts afresh."""
_SIGNER_VERSION: Final = 0


class FileKeys(FileState):
    """The part of a file vault that uses keys."""

    def add_key(self, name: KeyName, purpose: Purpose, value: bytes) -> KeyInfo:
        """Take in an AES key of 16, 24 or 32 bytes (a master has 16); raises KeyMisused."""
        check_size(purpose, value)
        with self._changing():
            info = self._inventory.add(name, purpose, check_value(value))
            self._values[name] = value
        return info

    def add_master(self, role: Role, version: int, value: bytes) -> None:
        """Take in a master key of 16 bytes, as a ceremony made it; raises KeyMisused where that version exists."""
        self.add_key(KeyName(role.value, version), Purpose.CARD, value)

    def generate_key(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        """Make a random AES-128 key inside the vault; raises KeyMisused where that version exists."""
        check_made_here(purpose)
        return self.add_key(name, purpose, random_key())

    def generate_signing_key(self, label: str) -> None:
        """Make an Ed25519 key that never leaves this vault; raises KeyMisused where the label is taken."""
        key = Ed25519PrivateKey.generate()
        name = KeyName(label, _SIGNER_VERSION)
        with self._changing():
            self._inventory.add(name, Purpose.SIGN, key.public_key().public_bytes_raw()[:5])
            self._values[name] = key.private_bytes_raw()

    def retire(self, role: Role, version: int) -> None:
        """Take a version out of use for good; raises KeyMissing, KeyMisused where no other version is in use."""
        with self._changing():
            self._inventory.retire(role, version)

    def card_key(self, role: Role, version: int, uid: bytes) -> SoftKey:
        """The diversified key of one card; raises KeyMissing, KeyRetired."""
        return self.derived(role, version, card_input(uid, role.key_no, version))

    def derived(self, role: Role, version: int, m: bytes) -> SoftKey:
        """The key that AN10922 derives from a master and an input of 1 to 31 bytes; raises KeyMissing, KeyRetired, KeysError."""
        self._follow()
        cache = self._ready  # a change brings a new one: what is derived meanwhile goes with the old
        ready = cache.get((role, version, m))
        if ready is None:
            master = self._value(KeyName(role.value, version), Purpose.CARD)
            ready = SoftKey(diversify_aes128(master, m), version)
            if len(cache) >= _CARD_KEYS_MAX:
                cache.clear()
            cache[role, version, m] = ready
        return ready

    def cmac(self, name: KeyName, message: bytes) -> bytes:
        """AES-CMAC under a MAC key, 16 bytes; raises KeyMissing, KeyMisused."""
        return aes_cmac(self._value(name, Purpose.MAC), message)

    def encrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        return SoftKey(self._value(name, Purpose.CIPHER), name.version).encrypt(data, iv)

    def decrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        return SoftKey(self._value(name, Purpose.CIPHER), name.version).decrypt(data, iv)

    def _signer(self, label: str) -> Ed25519PrivateKey:
        if label not in self._signers:
            value = self._value(KeyName(label, _SIGNER_VERSION), Purpose.SIGN)
            self._signers[label] = Ed25519PrivateKey.from_private_bytes(value)
        return self._signers[label]

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""
        return self._signer(label).sign(message)

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""
        return self._signer(label).public_key().public_bytes_raw()

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""
        return builder.sign(self._signer(label), None)

    def shows_in(self, data: bytes) -> bool:
        """True where a secret of this vault stands in some bytes, raw, in hexadecimal or in base64: what leak checks ask."""
        lowered = data.lower()
        return any(
            value in data or value.hex().encode() in lowered or base64.b64encode(value).rstrip(b"=") in data
            for value in self._values.values()
        )
