"""Secure Dynamic Messaging: a file whose reading gives a fresh address at each phone tap (SUN), and how it is checked. Pure.

Source: NXP AN12196 (sections 3.3 and 4) and the NT4H2421Gx data sheet, ChangeFileSettings; DESFire EV3 does the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card.errors import TapRefused
from card.ev2 import ZERO_IV, same, truncated
from keys.cmac import BLOCK, aes_cmac

if TYPE_CHECKING:
    from keys.vault import CardKey

PICC_HEX: Final = 2 * BLOCK
"""Characters of the encrypted UID and counter in the address."""
MAC_HEX: Final = 16
COUNTER_MAX: Final = 0xFF_FFFF
COUNTER_BYTES: Final = 3
_UID_HEX: Final = 14
_COUNTER_HEX: Final = 6
_UID_BYTES: Final = 7
_TAG_BOTH: Final = 0xC7
_MIRROR_UID, _MIRROR_COUNTER, _LIMITED, _ENCRYPTED, _ASCII = 0x80, 0x40, 0x20, 0x10, 0x01
_PLAIN, _NONE = 0xE, 0xF


class Tap(NamedTuple):
    """What a checked phone tap says: which card, and which of its taps."""

    uid: bytes
    counter: int


@dataclass(frozen=True, slots=True)
class Sdm:
    """What a file mirrors into its content; offsets in bytes, and -1 where there is no such field.

    `meta_read`: key of UID and counter (E: plain, F: none). `file_read`: key of the MAC (F: none). `counter_read`: who may ask
    for the counter. `encrypted` bytes from `encrypted_at` carry half as many bytes of the file, encrypted and in hexadecimal.
    """

    meta_read: int
    file_read: int
    counter_read: int = _NONE
    uid_at: int = -1
    counter_at: int = -1
    picc_at: int = -1
    mac_input_at: int = -1
    mac_at: int = -1
    encrypted_at: int = -1
    encrypted: int = 0
    limit: int = -1

    def _fields(self) -> list[tuple[str, bool]]:
        """Fields in the order of the wire, and whether each is there."""
        plain, signed = self.meta_read == _PLAIN, self.file_read != _NONE
        return [
            ("uid_at", plain and self.uid_at >= 0),
            ("counter_at", plain and self.counter_at >= 0),
            ("picc_at", self.meta_read < _PLAIN),
            ("mac_input_at", signed),
            ("encrypted_at", signed and self.encrypted > 0),
            ("encrypted", signed and self.encrypted > 0),
            ("mac_at", signed),
            ("limit", self.limit >= 0),
        ]

    def encode(self) -> bytes:
        """The fields of ChangeFileSettings and GetFileSettings."""
        hidden, shown = self.meta_read < _PLAIN, self.meta_read == _PLAIN
        options = _ASCII | (_MIRROR_UID if hidden or (shown and self.uid_at >= 0) else 0)
        options |= _MIRROR_COUNTER if hidden or (shown and self.counter_at >= 0) else 0
        options |= (_LIMITED if self.limit >= 0 else 0) | (_ENCRYPTED if self.encrypted else 0)
        rights = bytes((0xF0 | self.counter_read, self.meta_read << 4 | self.file_read))
        offsets = (getattr(self, name).to_bytes(3, "little") for name, there in self._fields() if there)
        return bytes((options,)) + rights + b"".join(offsets)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """From those fields; None where they are malformed."""
        if len(data) < 3 or not data[0] & _ASCII:  # noqa: PLR2004  options and rights
            return None
        options, meta, file = data[0], data[2] >> 4, data[2] & 15
        plain, signed = meta == _PLAIN, file != _NONE
        there = [
            ("uid_at", plain and bool(options & _MIRROR_UID)),
            ("counter_at", plain and bool(options & _MIRROR_COUNTER)),
            ("picc_at", meta < _PLAIN),
            ("mac_input_at", signed),
            ("encrypted_at", signed and bool(options & _ENCRYPTED)),
            ("encrypted", signed and bool(options & _ENCRYPTED)),
            ("mac_at", signed),
            ("limit", bool(options & _LIMITED)),
        ]
        names = [name for name, present in there if present]
        if len(data) != 3 + 3 * len(names):
            return None
        values = (
            int.from_bytes(data[3 + 3 * place : 6 + 3 * place], "little") for place in range(len(names))
        )
        return cls(meta, file, data[1] & 15, **dict(zip(names, values, strict=True)))

    def fits(self, size: int) -> bool:
        """Whether all that is mirrored lies within a file of this size, and the MAC behind what it covers."""
        ends = [(self.uid_at, _UID_HEX), (self.counter_at, _COUNTER_HEX), (self.picc_at, PICC_HEX)]
        ends += [(self.encrypted_at, self.encrypted), (self.mac_at, MAC_HEX)]
        within = all(at + length <= size for at, length in ends if at >= 0)
        return within and self.mac_input_at <= self.mac_at and not self.encrypted % (2 * BLOCK)

    def mirrored(self, content: bytes, uid: bytes, counter: int, keys: Keys, noise: bytes) -> bytes:
        """A file's content with this tap's values in it; `noise` is five random bytes."""
        made = bytearray(content)

        def put(at: int, value: bytes) -> None:
            if at >= 0:
                made[at : at + len(value)] = value

        put(self.uid_at, uid.hex().upper().encode())
        put(self.counter_at, f"{counter:06X}".encode())
        if keys.meta is not None:
            put(self.picc_at, encrypted_picc(keys.meta, uid, counter, noise).hex().upper().encode())
        if keys.file is not None:
            if self.encrypted:
                plain = content[self.encrypted_at : self.encrypted_at + self.encrypted // 2]
                put(self.encrypted_at, sealed_data(keys.file, uid, counter, plain).hex().upper().encode())
            put(
                self.mac_at,
                tap_mac(keys.file, uid, counter, bytes(made[self.mac_input_at : self.mac_at]))
                .hex()
                .upper()
                .encode(),
            )
        return bytes(made)


class Keys(NamedTuple):
    """The two keys of a mirrored file, as far as it uses them."""

    meta: CardKey | None
    file: CardKey | None


def encrypted_picc(meta: CardKey, uid: bytes, counter: int, noise: bytes) -> bytes:
    """UID and counter, encrypted: 16 bytes (AN12196, section 3.4.1)."""
    plain = bytes((_TAG_BOTH,)) + uid + counter.to_bytes(COUNTER_BYTES, "little") + noise
    return meta.encrypt(plain, ZERO_IV)


def opened_picc(meta: CardKey, data: bytes) -> Tap:
    """UID and counter of an address; raises TapRefused where they are not of this key."""
    if len(data) != BLOCK:
        raise TapRefused("the card's part of the address has a wrong length: tap the card again")
    plain = meta.decrypt(data, ZERO_IV)
    if plain[0] != _TAG_BOTH:
        raise TapRefused("the address is not from a card of this city: tap the card again")
    at = 1 + _UID_BYTES
    return Tap(plain[1:at], int.from_bytes(plain[at : at + COUNTER_BYTES], "little"))


def session_keys(file: CardKey, uid: bytes, counter: int) -> tuple[bytes, bytes]:
    """KSesSDMFileReadENC and KSesSDMFileReadMAC of one tap (AN12196, section 3.3)."""
    both = b"\x00\x01\x00\x80" + uid + counter.to_bytes(COUNTER_BYTES, "little")
    return file.cmac((b"\xc3\x3c" + both).ljust(BLOCK, b"\0")), file.cmac(
        (b"\x3c\xc3" + both).ljust(BLOCK, b"\0")
    )


def tap_mac(file: CardKey, uid: bytes, counter: int, covered: bytes) -> bytes:
    """SDMMAC over what the address says, eight bytes."""
    return truncated(aes_cmac(session_keys(file, uid, counter)[1], covered))


def _data_cipher(file: CardKey, uid: bytes, counter: int) -> Cipher[CBC]:
    key = AES(session_keys(file, uid, counter)[0])
    first = counter.to_bytes(COUNTER_BYTES, "little").ljust(BLOCK, b"\0")
    return Cipher(key, CBC(Cipher(key, CBC(ZERO_IV)).encryptor().update(first)))


def sealed_data(file: CardKey, uid: bytes, counter: int, plain: bytes) -> bytes:
    """SDMENCFileData of whole blocks (AN12196, section 3.4.2)."""
    return _data_cipher(file, uid, counter).encryptor().update(plain)


def opened_data(file: CardKey, uid: bytes, counter: int, data: bytes) -> bytes:
    """The plain bytes of SDMENCFileData."""
    return _data_cipher(file, uid, counter).decryptor().update(data)


def check(file: CardKey, tap: Tap, covered: bytes, mac: bytes) -> Tap:
    """The tap itself where its MAC is the card's; raises TapRefused. Whether its counter is fresh is the ledger's to know."""
    if not same(mac, tap_mac(file, tap.uid, tap.counter, covered)):
        raise TapRefused("the address was not made by the card that it names: tap the card again")
    return tap
