"""Card keys inside a token: derived there by AN10922, used there, forgotten there.

AN10922 is AES-CMAC over two blocks, and so E(E(P1) XOR P2 XOR Kn): E(P1) is an encryption by the token, and the outer one is its derivation
CKM_AES_CBC_ENCRYPT_DATA with E(P1) as initial vector and P2 XOR Kn as data, whose result is a session object that nobody can read. Kn, CMAC's
subkey, comes from E(0) and stands in this process's memory: with it, one more encryption under the master is missing to any card key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from pkcs11 import KeyType, Mechanism, MechanismFlag

from keys.cmac import BLOCK
from keys.diversify import card_input, doubled, padded_input, xor
from keys.errors import KeyMisused
from keys.pkcs11token import INSIDE, asking, cbc, ecb
from keys.softkey import SoftKey, sealed_value
from keys.tokenstate import TokenState
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from keys.vault import CardKey

_CARD_KEYS_MAX: Final = 1_024
"""Derived session objects kept in the token; past that all are destroyed, and derived again when used."""
_CARD_KEY_USES: Final = MechanismFlag.SIGN | MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT


class TokenKey:
    """A card's key inside the token; derived when it is used."""

    __slots__ = ("_m", "_role", "_token", "_version")

    def __init__(self, token: CardKeys, role: Role, version: int, m: bytes) -> None:
        self._token, self._role, self._version, self._m = token, role, version, m

    def __repr__(self) -> str:
        return f"<TokenKey version {self._version}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a key is not pickled: its value would leave its vault")

    @property
    def version(self) -> int:
        """Version of the master key that it comes from."""
        return self._version

    def cmac(self, message: bytes) -> bytes:
        """AES-CMAC, 16 bytes."""
        with asking("make a MAC"):
            mac: bytes = self._object().sign(message, mechanism=Mechanism.AES_CMAC)
        return mac

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """AES-CBC over whole blocks, unpadded."""
        with asking("encrypt"):
            return cbc(self._object().encrypt, data, iv)

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """AES-CBC over whole blocks, unpadded."""
        with asking("decrypt"):
            return cbc(self._object().decrypt, data, iv)

    def sealed(self, session_key: bytes, iv: bytes, old: CardKey | None) -> bytes:
        """This key, encrypted for a card that holds the session key; see `keys.vault.CardKey.sealed`.

        Its value passes through the process: no PKCS#11 mechanism makes the chip's XOR and CRC32 (docs/decisions/0024-city-on-a-token.md). Raises
        KeyMisused where `old` lives in another kind of vault.
        """
        value = self._value()
        if old is None:
            return sealed_value(value, self._version, session_key, iv)
        if isinstance(old, SoftKey):
            return old.changed_to(value, self._version, session_key, iv)
        if isinstance(old, TokenKey):
            return sealed_value(value, self._version, session_key, iv, old._value())  # noqa: SLF001  its own class
        raise KeyMisused("both keys of a change must lie in one vault")

    def _object(self) -> Any:
        return self._token._derived_object(self._role, self._version, self._m)  # noqa: SLF001  one module

    def _value(self) -> bytes:
        return self._token._derived_value(self._role, self._version, self._m)  # noqa: SLF001  one module


class CardKeys(TokenState):
    """The part of a token's vault that derives card keys."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._derived: dict[tuple[Role, int, bytes], Any] = {}
        self._subkeys: dict[KeyName, tuple[bytes, bytes]] = {}

    def card_key(self, role: Role, version: int, uid: bytes) -> TokenKey:
        """The diversified key of one card; raises KeyMissing, KeyRetired."""
        return self.derived(role, version, card_input(uid, role.key_no, version))

    def derived(self, role: Role, version: int, m: bytes) -> TokenKey:
        """The key that AN10922 derives from a master and an input of 1 to 31 bytes; raises KeyMissing, KeyRetired, KeysError."""
        self._usable(KeyName(role.value, version), Purpose.CARD)
        padded_input(m)
        return TokenKey(self, role, version, m)

    def _blocks(self, name: KeyName, m: bytes) -> tuple[bytes, bytes]:
        """E(P1), and P2 XOR Kn."""
        self._usable(name, Purpose.CARD)
        master = self._object(name)
        if name not in self._subkeys:
            k1 = doubled(ecb(master, bytes(BLOCK)))
            self._subkeys[name] = (k1, doubled(k1))
        padded, whole = padded_input(m)
        k1, k2 = self._subkeys[name]
        return ecb(master, padded[:BLOCK]), xor(padded[BLOCK:], k1 if whole else k2)

    def _derived_object(self, role: Role, version: int, m: bytes) -> Any:
        name = KeyName(role.value, version)
        self._usable(name, Purpose.CARD)
        ready = self._derived.get((role, version, m)) if self._open else None
        if ready is None:
            first, second = self._blocks(name, m)
            ready = self._object(name).derive_key(
                KeyType.AES,
                8 * BLOCK,
                mechanism=Mechanism.AES_CBC_ENCRYPT_DATA,
                mechanism_param=(first, second),
                capabilities=_CARD_KEY_USES,
                template=INSIDE,
                store=False,
            )
            if len(self._derived) >= _CARD_KEYS_MAX:
                self._forget()
            self._derived[role, version, m] = ready
        return ready

    def _forget(self) -> None:
        for one in self._derived.values():
            one.destroy()
        self._derived.clear()

    def _derived_value(self, role: Role, version: int, m: bytes) -> bytes:
        name = KeyName(role.value, version)
        with asking("seal a card's key"):
            first, second = self._blocks(name, m)
            return ecb(self._object(name), xor(first, second))
