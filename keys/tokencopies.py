"""Wrapped copies of a token's keys: made once, at a key's birth, and the only form in which a key leaves (OASIS PKCS #11 v2.40).

A key that comes in while the token holds a transport key is wrapped under it before it is made non-extractable, for good: that copy, which only a vault
with the same transport key opens, is what a backup holds and what another city may get. Without a transport key there is no copy.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from keys.errors import KeyBlockError, KeyMisused
from keys.inventory import check_made_here
from keys.pkcs11token import (
    asking,
    check_value_of,
    label_of,
    template_of,
)
from keys.tokenkey import CardKeys
from keys.vault import TRANSPORT, KeyInfo, KeyName, Purpose

_WRAPPED: Final = "ksh-wrapped/"
"""Label, before the key's own, of the data object that holds a key's wrapped copies."""


class TokenCopies(CardKeys):
    """A vault in a token whose keys have copies that were wrapped when they were born."""

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

    def _noted(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        check = check_value_of(self._object(name), purpose)
        return self._inventory.add(name, purpose, check)

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

    def _opened_copy(self, wrapped: bytes, under: KeyName, **how: Any) -> Any:
        try:
            return self._object(under).unwrap_key(
                ObjectClass.SECRET_KEY, KeyType.AES, wrapped, mechanism=Mechanism.AES_KEY_WRAP, **how
            )
        except PKCS11Error:
            raise KeyBlockError(
                f"the wrapped key does not open under {under.label} version {under.version}: it was changed, or wrapped for another vault"
            ) from None
