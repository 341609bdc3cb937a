"""Personal data and PINs at rest: sealed with keys of the vault, so that a copy of the database alone tells nothing.

A seal names its form in its first byte: which algorithms made it, under which keys. What is sealed takes the newest form; every older one is opened, and
sealed anew in the newest at the closing of a business date (`resealing`). Another algorithm, or another key, is another entry of `FORMS`.

Form 1: data is encrypted (AES-CBC, random IV) under one key and then authenticated (AES-CMAC over form, purpose, card, IV and cipher text) under another:
encrypt-then-MAC (ISO/IEC 19772, mechanism 5). What was sealed before forms had numbers is the same without them: its length alone is whole blocks.
A PIN is keyed with a third key before it is hashed: its million possibilities cannot be tried without the vault.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.ev2 import same
from keys.cmac import BLOCK
from keys.vault import KeyName, Purpose
from ledger.errors import DatabaseDamaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keys.vault import KeyVault

PIN_KEY: Final = KeyName("cardholder-pin", 1)
CIPHER_KEY: Final = KeyName("cardholder-data", 1)
MAC_KEY: Final = KeyName("cardholder-data-mac", 1)
PURPOSES: Final = ((PIN_KEY, Purpose.MAC), (CIPHER_KEY, Purpose.CIPHER), (MAC_KEY, Purpose.MAC))
_UID_BYTES: Final = 7
_UNNUMBERED: Final = 0
"""The form of what was sealed before forms had numbers."""


@dataclass(frozen=True, slots=True)
class Form:
    """AES-CBC under one key, then AES-CMAC under another."""

    number: int
    cipher_key: KeyName = CIPHER_KEY
    mac_key: KeyName = MAC_KEY

    def sealed(self, vault: KeyVault, context: str, uid: int, plain: bytes) -> bytes:
        """IV, cipher text, MAC."""
        iv, fill = secrets.token_bytes(BLOCK), BLOCK - len(plain) % BLOCK
        body = iv + vault.encrypt(self.cipher_key, plain + bytes((fill,)) * fill, iv)
        return body + self._mac(vault, context, uid, body)

    def opened(self, vault: KeyVault, context: str, uid: int, sealed: bytes) -> bytes | None:
        """The data again; None where it is not what was sealed for this card and context."""
        body, mac = sealed[:-BLOCK], sealed[-BLOCK:]
        if len(body) < 2 * BLOCK or not same(mac, self._mac(vault, context, uid, body)):
            return None
        plain = vault.decrypt(self.cipher_key, body[BLOCK:], body[:BLOCK])
        return plain[: -plain[-1]]

    def _mac(self, vault: KeyVault, context: str, uid: int, body: bytes) -> bytes:
        said = context.encode()
        # No context is empty, so a length of 0 begins a form's number and nothing else: no two forms have one MAC.
        named = bytes((0, self.number)) if self.number else b""
        return vault.cmac(
            self.mac_key, named + bytes((len(said),)) + said + uid.to_bytes(_UID_BYTES, "big") + body
        )


FORMS: Final[Mapping[int, Form]] = {number: Form(number) for number in (_UNNUMBERED, 1)}
"""All forms that are opened; the last is what is sealed with."""


def make_keys(vault: KeyVault) -> None:
    """Make those of the three keys that the vault lacks; they never leave it."""
    held = {one.label for one in vault.contents()}
    for name, purpose in PURPOSES:
        if name.label not in held:
            vault.generate_key(name, purpose)


class Sealing:
    """Seals and opens in the vault's name; `context` says what the data is, and cannot be exchanged."""

    def __init__(self, vault: KeyVault, forms: Mapping[int, Form] = FORMS) -> None:
        self._vault = vault
        self._forms = forms
        self.newest = max(forms)

    def keyed_pin(self, uid: int, pin: str) -> bytes:
        """A card's PIN under the vault's key: what is hashed."""
        return self._vault.cmac(PIN_KEY, uid.to_bytes(_UID_BYTES, "big") + pin.encode())

    def seal(self, context: str, uid: int, plain: bytes) -> bytes:
        """Data of a card, sealed in the newest form, which stands in front."""
        made = self._forms[self.newest].sealed(self._vault, context, uid, plain)
        return bytes((self.newest,)) + made if self.newest else made

    def open(self, context: str, uid: int, sealed: bytes) -> bytes:
        """The data again, in whatever form it was sealed; raises DatabaseDamaged where it is not what was sealed for this card and context."""
        number = form_of(sealed)
        form, body = self._forms.get(number), sealed[1:] if number else sealed
        plain = None if form is None else form.opened(self._vault, context, uid, body)
        if plain is None:
            raise DatabaseDamaged("a cardholder's data is not what was sealed: restore it from backup")
        return plain

    def renewed(self, context: str, uid: int, sealed: bytes) -> bytes:
        """The same data in the newest form; raises DatabaseDamaged."""
        return self.seal(context, uid, self.open(context, uid, sealed))


def form_of(sealed: bytes) -> int:
    """The number of a seal's form."""
    return _UNNUMBERED if len(sealed) % BLOCK == 0 else sealed[0]
