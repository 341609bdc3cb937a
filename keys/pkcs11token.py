"""Calls on a PKCS#11 token (OASIS PKCS #11 v2.40) that a vault in it is made of: sessions, templates, one-block ciphers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import cbor2
import pkcs11
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pkcs11 import Attribute, Mechanism, MechanismFlag
from pkcs11.exceptions import PinIncorrect, PinLenRange, PKCS11Error, UserAlreadyLoggedIn

from keys.cmac import BLOCK
from keys.diversify import doubled
from keys.errors import KeyMisused, TokenError, VaultLocked
from keys.inventory import Inventory
from keys.softkey import CHECK_VALUE_BYTES
from keys.vault import KeyName, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.utils import Buffer

STATE: Final = "ksh-vault-2"
"""Label of the data object that holds the inventory."""
ED25519: Final = bytes.fromhex("130c656477617264733235353139")
"""EC_PARAMS: the curve's name, edwards25519, as PKCS #11 v3.0 section 2.3.10 writes it."""
_USES: Final = {
    Purpose.CARD: MechanismFlag.DERIVE | MechanismFlag.ENCRYPT,
    Purpose.MAC: MechanismFlag.SIGN,
    Purpose.CIPHER: MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
    Purpose.TRANSPORT: MechanismFlag.WRAP | MechanismFlag.UNWRAP,
}
INSIDE: Final = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
_LOCK: Final = threading.RLock()
"""A PKCS#11 session takes one call at a time, and a process has one state of a module."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """The module's turn for this thread; its errors become TokenError."""
    with _LOCK:
        try:
            yield
        except PKCS11Error as error:
            raise TokenError(
                f"the token refused to {what} ({type(error).__name__}): is it still there and logged in?"
            ) from None


_USE_ATTRIBUTES: Final = {
    MechanismFlag.SIGN: Attribute.SIGN,
    MechanismFlag.ENCRYPT: Attribute.ENCRYPT,
    MechanismFlag.DECRYPT: Attribute.DECRYPT,
    MechanismFlag.DERIVE: Attribute.DERIVE,
    MechanismFlag.WRAP: Attribute.WRAP,
    MechanismFlag.UNWRAP: Attribute.UNWRAP,
}


def open_session(module: str, token: str, pin: str) -> Any:
    """A session that is logged in; raises VaultLocked, TokenError."""
    with _LOCK:
        try:
            return pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin)
        except (PinIncorrect, PinLenRange):
            raise VaultLocked(
                f"token {token} does not open: wrong PIN; it locks itself after a few more"
            ) from None
        except UserAlreadyLoggedIn:
            raise TokenError(f"token {token} is open in this process already: use that vault") from None
        except (PKCS11Error, OSError, RuntimeError) as error:
            raise TokenError(
                f"there is no token {token} to open ({type(error).__name__}): look at the module and the reader"
            ) from None


def newest(session: Any, token: str) -> tuple[Inventory, tuple[Any, ...]]:
    """The inventory of the highest generation, and all state objects; raises TokenError."""
    states = tuple(session.get_objects({Attribute.LABEL: STATE}))
    try:
        inventories = [Inventory.from_plain(cbor2.loads(one[Attribute.VALUE])) for one in states]
        return max(inventories, key=lambda one: one.generation), states
    except (LookupError, TypeError, ValueError):
        raise TokenError(
            f"token {token} holds no vault: hold a key ceremony first, or take the right token"
        ) from None


def label_of(name: KeyName) -> str:
    """CKA_LABEL of a key."""
    return f"{name.label}/{name.version}"


def ecb(key: Any, block: bytes) -> bytes:
    """One block, encrypted by the token."""
    encrypted: bytes = key.encrypt(block, mechanism=Mechanism.AES_ECB)
    return encrypted


def cbc(operation: Any, data: bytes, iv: bytes) -> bytes:
    """Whole blocks, encrypted or decrypted by the token."""
    result: bytes = operation(data, mechanism=Mechanism.AES_CBC, mechanism_param=iv)
    return result


def check_value_of(key: Any, purpose: Purpose) -> bytes:
    """CMAC of zeros, first 5 bytes, by what the key may do."""
    if purpose is Purpose.MAC:
        mac: bytes = key.sign(bytes(BLOCK), mechanism=Mechanism.AES_CMAC)
        return mac[:CHECK_VALUE_BYTES]
    k1 = doubled(_one_block(key, bytes(BLOCK), purpose))
    return _one_block(key, k1, purpose)[:CHECK_VALUE_BYTES]


def _one_block(key: Any, block: bytes, purpose: Purpose) -> bytes:
    return ecb(key, block) if purpose is Purpose.CARD else cbc(key.encrypt, block, bytes(BLOCK))


def template_of(name: KeyName, purpose: Purpose) -> dict[Attribute, Any]:
    """What the token shall note of a key: it stays inside, and serves its purpose alone."""
    flags = _USES[purpose]
    uses = {attribute: bool(flags & flag) for flag, attribute in _USE_ATTRIBUTES.items()}
    return INSIDE | uses | {Attribute.TOKEN: True, Attribute.LABEL: label_of(name)}


class TokenSigner(Ed25519PrivateKey):
    """A signing key inside the token, as `cryptography` asks for one to sign certificates."""

    def __init__(self, sign: Callable[[bytes], bytes], public: bytes) -> None:
        self._sign, self._public = sign, public

    def sign(self, data: Buffer) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._sign(bytes(data))

    def public_key(self) -> Ed25519PublicKey:
        """The public half."""
        return Ed25519PublicKey.from_public_bytes(self._public)

    def private_bytes(self, *_: object, **__: object) -> bytes:
        """Raises KeyMisused: the token does not give it."""
        raise KeyMisused("a signing key lies in its token and cannot be read")

    def private_bytes_raw(self) -> bytes:
        """Raises KeyMisused: the token does not give it."""
        raise KeyMisused("a signing key lies in its token and cannot be read")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
