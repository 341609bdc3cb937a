"""A vault in a PKCS#11 token (OASIS PKCS #11 v2.40), through python-pkcs11: keys are sensitive and cannot be extracted.

A card's key is derived inside the token and stays there. AN10922 is AES-CMAC over two blocks, and so E(E(P1) XOR P2 XOR Kn): E(P1) is an
encryption by the token, and the outer one is its derivation CKM_AES_CBC_ENCRYPT_DATA with E(P1) as initial vector and P2 XOR Kn as
data, whose result is a session object that nobody can read. Kn, CMAC's subkey, comes from E(0) and stands in this
process's memory: with it, one more encryption under the master is missing to any card key.

What the process does see: session keys of an open card, as with any vault, and a card's key for the moment in which a card is given
it (`sealed`): PKCS#11 has no mechanism for the chip's format with its XOR and CRC32, and whoever holds the session key could decipher it anyway.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import cbor2
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error

from keys.cmac import BLOCK
from keys.diversify import card_input, doubled, padded_input, xor
from keys.errors import KeyBlockError, KeyMisused, TokenError, VaultSwapped
from keys.inventory import Inventory, Listed, check_made_here, check_size
from keys.pkcs11token import (
    ED25519,
    INSIDE,
    STATE,
    TokenSigner,
    asking,
    cbc,
    check_value_of,
    ecb,
    label_of,
    newest,
    open_session,
    template_of,
)
from keys.softkey import CHECK_VALUE_BYTES, SoftKey, check_value, sealed_value
from keys.vault import KeyInfo, KeyName, Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from keys.vault import CardKey

_CARD_KEYS_MAX: Final = 1_024
"""Derived session objects kept in the token; past that all are destroyed, and derived again when used."""
_SIGNER_VERSION: Final = 0
_CARD_KEY_USES: Final = MechanismFlag.SIGN | MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT


class TokenKey:
    """A card's key inside the token; derived when it is used."""

    __slots__ = ("_m", "_role", "_vault", "_version")

    def __init__(self, vault: HsmVault, role: Role, version: int, m: bytes) -> None:
        self._vault, self._role, self._version, self._m = vault, role, version, m

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
        """This key, encrypted for a card that holds the session key; see `keys.vault.CardKey.sealed`, and this module's docstring.

        Raises KeyMisused where `old` lives in another kind of vault.
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
        return self._vault._derived_object(self._role, self._version, self._m)  # noqa: SLF001  one module

    def _value(self) -> bytes:
        return self._vault._derived_value(self._role, self._version, self._m)  # noqa: SLF001  one module


class HsmVault(Listed):
    """A vault in a token; make one with `create`, open one with `open`, and `close` it. A context manager."""

    def __init__(self, session: Any, inventory: Inventory) -> None:
        self._session = session
        self._open = True
        self._inventory = inventory
        self._objects: dict[KeyName, Any] = {}
        self._derived: dict[tuple[Role, int, bytes], Any] = {}
        self._subkeys: dict[KeyName, tuple[bytes, bytes]] = {}

    def __repr__(self) -> str:
        return f"<HsmVault {self._inventory.name}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a vault is not pickled; open it where it is needed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def create(cls, module: str, token: str, pin: str, name: str | None = None) -> Self:
        """A new vault in an initialised token, bound to `name` (the token's label without it); raises TokenError where one is there already."""
        session = open_session(module, token, pin)
        with asking("make a vault"):
            if list(session.get_objects({Attribute.LABEL: STATE})):
                session.close()
                raise TokenError(f"token {token} holds a vault already: open it, or initialise another token")
            vault = cls(session, Inventory(name or token))
            vault._store(())
        return vault

    @classmethod
    def open(cls, module: str, token: str, pin: str, name: str | None = None) -> Self:
        """Open a token's vault.

        Raises VaultLocked for a wrong PIN, VaultSwapped where it is not that of `name`, TokenError where there is no such
        module, token or vault.
        """
        session = open_session(module, token, pin)
        try:
            with asking("show its vault"):
                vault = cls(session, newest(session, token)[0])
        except TokenError:
            session.close()
            raise
        if name is not None and vault.name != name:
            vault.close()
            raise VaultSwapped(
                f"token {token} belongs to {vault.name}, not to {name}: the tokens were swapped"
            )
        return vault

    def close(self) -> None:
        """End the session; the token forgets what was derived in it. A second call does nothing."""
        if self._open:
            self._open = False
            with asking("end its session"):
                self._session.close()

    # State

    def _store(self, older: tuple[Any, ...]) -> None:
        """Write the inventory as the next generation; the older ones go once it stands, so that a crash leaves one."""
        self._inventory.advance()
        template = {
            Attribute.CLASS: ObjectClass.DATA,
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.LABEL: STATE,
            Attribute.VALUE: cbor2.dumps(self._inventory.as_plain()),
        }
        self._session.create_object(template)
        for one in older:
            one.destroy()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The newest state; stored as the next generation where the block raises nothing."""
        with asking("change its keys"):
            self._inventory, states = newest(self._session, self._inventory.name)
            try:
                yield
                self._store(states)
            except BaseException:
                self._inventory = newest(self._session, self._inventory.name)[0]
                raise

    def _make_room(self, name: KeyName, purpose: Purpose) -> None:
        """Raises KeyMisused where the key exists; destroys what a crash left of one that was never noted."""
        self._inventory.check_free(name, purpose)
        self._objects.pop(name, None)
        for left_behind in list(self._session.get_objects({Attribute.LABEL: label_of(name)})):
            left_behind.destroy()

    # Keys in, and made

    def add_key(self, name: KeyName, purpose: Purpose, value: bytes) -> KeyInfo:
        """Take in an AES key of 16, 24 or 32 bytes (a master has 16); raises KeyMisused. Its value passes through this process once."""
        check_size(purpose, value)
        with self._changing():
            self._make_room(name, purpose)
            kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES}
            self._session.create_object(template_of(name, purpose) | kind | {Attribute.VALUE: value})
            return self._inventory.add(name, purpose, check_value(value))

    def add_master(self, role: Role, version: int, value: bytes) -> None:
        """Take in a master key of 16 bytes, as a ceremony made it; raises KeyMisused where that version exists."""
        self.add_key(KeyName(role.value, version), Purpose.CARD, value)

    def generate_key(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        """Make a random AES-128 key inside the token, where it stays; raises KeyMisused where that version exists."""
        check_made_here(purpose)
        with self._changing():
            self._make_room(name, purpose)
            self._session.generate_key(
                KeyType.AES, 8 * BLOCK, store=True, label=label_of(name), template=template_of(name, purpose)
            )
            return self._noted(name, purpose)

    def _noted(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        check = check_value_of(self._object(name), purpose)
        return self._inventory.add(name, purpose, check)

    def generate_signing_key(self, label: str) -> None:
        """Make an Ed25519 key that never leaves this token; raises KeyMisused where the label is taken."""
        name = KeyName(label, _SIGNER_VERSION)
        with self._changing():
            self._make_room(name, Purpose.SIGN)
            curve = self._session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: ED25519}, local=True
            )
            curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                label=label_of(name),
                private_template=INSIDE,
            )
            self._inventory.add(name, Purpose.SIGN, self._public(name)[:CHECK_VALUE_BYTES])

    def retire(self, role: Role, version: int) -> None:
        """Take a version out of use for good; raises KeyMissing, KeyMisused where no other version is in use."""
        with self._changing():
            self._inventory.retire(role, version)

    def wrap(self, name: KeyName, under: KeyName) -> bytes:
        """Raises KeyMisused always: this token's keys are made so that they cannot leave it, even wrapped."""
        self._inventory.usable(under, Purpose.TRANSPORT)
        self._inventory.info(name)
        raise KeyMisused(
            f"{name.label} version {name.version} lies in a token and cannot leave it: enter its components in the other vault"
        )

    def unwrap(self, name: KeyName, purpose: Purpose, wrapped: bytes, under: KeyName) -> KeyInfo:
        """Take a wrapped key in, unwrapped inside the token; raises KeyMissing, KeyMisused, KeyBlockError."""
        check_made_here(purpose)
        self._inventory.usable(under, Purpose.TRANSPORT)
        with self._changing():
            self._make_room(name, purpose)
            try:
                self._object(under).unwrap_key(
                    ObjectClass.SECRET_KEY,
                    KeyType.AES,
                    wrapped,
                    mechanism=Mechanism.AES_KEY_WRAP,
                    store=True,
                    label=label_of(name),
                    template=template_of(name, purpose),
                )
            except PKCS11Error:
                raise KeyBlockError(
                    f"the wrapped key does not open under {under.label} version {under.version}: it was changed, or wrapped for another vault"
                ) from None
            return self._noted(name, purpose)

    # Keys in use

    def _object(self, name: KeyName, kind: ObjectClass = ObjectClass.SECRET_KEY) -> Any:
        found = self._objects.get(name)
        if not self._open:
            raise TokenError(f"the vault of {self.name} is closed: open it again")
        if found is None:
            found = self._session.get_key(object_class=kind, label=label_of(name))
            self._objects[name] = found
        return found

    def card_key(self, role: Role, version: int, uid: bytes) -> TokenKey:
        """The diversified key of one card; raises KeyMissing, KeyRetired."""
        return self.derived(role, version, card_input(uid, role.key_no, version))

    def derived(self, role: Role, version: int, m: bytes) -> TokenKey:
        """The key that AN10922 derives from a master and an input of 1 to 31 bytes; raises KeyMissing, KeyRetired, KeysError."""
        self._inventory.usable(KeyName(role.value, version), Purpose.CARD)
        padded_input(m)
        return TokenKey(self, role, version, m)

    def _blocks(self, name: KeyName, m: bytes) -> tuple[bytes, bytes]:
        """E(P1), and P2 XOR Kn."""
        self._inventory.usable(name, Purpose.CARD)
        master = self._object(name)
        if name not in self._subkeys:
            k1 = doubled(ecb(master, bytes(BLOCK)))
            self._subkeys[name] = (k1, doubled(k1))
        padded, whole = padded_input(m)
        k1, k2 = self._subkeys[name]
        return ecb(master, padded[:BLOCK]), xor(padded[BLOCK:], k1 if whole else k2)

    def _derived_object(self, role: Role, version: int, m: bytes) -> Any:
        name = KeyName(role.value, version)
        self._inventory.usable(name, Purpose.CARD)
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

    def cmac(self, name: KeyName, message: bytes) -> bytes:
        """AES-CMAC under a MAC key, 16 bytes; raises KeyMissing, KeyMisused."""
        self._inventory.usable(name, Purpose.MAC)
        with asking("make a MAC"):
            mac: bytes = self._object(name).sign(message, mechanism=Mechanism.AES_CMAC)
        return mac

    def encrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        self._inventory.usable(name, Purpose.CIPHER)
        with asking("encrypt"):
            return cbc(self._object(name).encrypt, data, iv)

    def decrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        self._inventory.usable(name, Purpose.CIPHER)
        with asking("decrypt"):
            return cbc(self._object(name).decrypt, data, iv)

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""
        name = KeyName(label, _SIGNER_VERSION)
        self._inventory.usable(name, Purpose.SIGN)
        with asking("sign"):
            key = self._object(name, ObjectClass.PRIVATE_KEY)
            signature: bytes = key.sign(message, mechanism=Mechanism.EDDSA)
        return signature

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""
        name = KeyName(label, _SIGNER_VERSION)
        self._inventory.usable(name, Purpose.SIGN)
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
