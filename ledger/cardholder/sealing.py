"""Personal data and PINs at rest: sealed with keys of the vault, so that a copy of the database alone tells nothing.

Data is encrypted (AES-CBC, random IV) under one key and then authenticated (AES-CMAC over purpose, card, IV and cipher text) under another: encrypt-then-MAC
(ISO/IEC 19772, mechanism 5). A PIN is keyed with a third one before it is hashed: its million possibilities cannot be tried without the vault.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from card.ev2 import same
from keys.cmac import BLOCK
from keys.vault import KeyName, Purpose
from ledger.errors import DatabaseDamaged

if TYPE_CHECKING:
    from keys.vault import KeyVault

PIN_KEY: Final = KeyName("cardholder-pin", 1)
CIPHER_KEY: Final = KeyName("cardholder-data", 1)
MAC_KEY: Final = KeyName("cardholder-data-mac", 1)
PURPOSES: Final = ((PIN_KEY, Purpose.MAC), (CIPHER_KEY, Purpose.CIPHER), (MAC_KEY, Purpose.MAC))
_UID_BYTES: Final = 7


def make_keys(vault: KeyVault) -> None:
    """Make those of the three keys that the vault lacks; they never leave it."""
    held = {one.label for one in vault.contents()}
    for name, purpose in PURPOSES:
        if name.label not in held:
            vault.generate_key(name, purpose)


class Sealing:
    """Seals and opens in the vault's name; `context` says what the data is, and cannot be exchanged."""

    def __init__(self, vault: KeyVault) -> None:
        self._vault = vault

    def keyed_pin(self, uid: int, pin: str) -> bytes:
        """A card's PIN under the vault's key: what is hashed."""
        return self._vault.cmac(PIN_KEY, uid.to_bytes(_UID_BYTES, "big") + pin.encode())

    def seal(self, context: str, uid: int, plain: bytes) -> bytes:
        """Data of a card, sealed: IV, cipher text, MAC."""
        iv, fill = secrets.token_bytes(BLOCK), BLOCK - len(plain) % BLOCK
        hidden = self._vault.encrypt(CIPHER_KEY, plain + bytes((fill,)) * fill, iv)
        return iv + hidden + self._mac(context, uid, iv + hidden)

    def open(self, context: str, uid: int, sealed: bytes) -> bytes:
        """The data again; raises DatabaseDamaged where it is not what was sealed for this card and context."""
        body, mac = sealed[:-BLOCK], sealed[-BLOCK:]
        if len(body) < 2 * BLOCK or not same(mac, self._mac(context, uid, body)):
            raise DatabaseDamaged("a cardholder's data is not what was sealed: restore it from backup")
        plain = self._vault.decrypt(CIPHER_KEY, body[BLOCK:], body[:BLOCK])
        return plain[: -plain[-1]]

    def _mac(self, context: str, uid: int, body: bytes) -> bytes:
        said = context.encode()
        return self._vault.cmac(MAC_KEY, bytes((len(said),)) + said + uid.to_bytes(_UID_BYTES, "big") + body)
