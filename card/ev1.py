"""EV1 secure messaging, for older clients and for chips as delivered: AES and triple DES, one IV chained through the session. Pure.

Source: NXP AN0945 (tables 22 to 34) and the MF3ICD40 and MF3ICD41 data sheets. Unlike EV2, every command and every answer
moves the IV, also where no MAC travels, and what is encrypted ends in a CRC32 and zeros.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card.apdu import Ins, Status
from card.channel import CommMode
from card.errors import SessionBroken
from card.ev2 import same
from keys.diversify import xor
from keys.softkey import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAC_BYTES: Final = 8
_CRC_BYTES: Final = 4
MACED: Final = frozenset(
    {
        Ins.WRITE_DATA, Ins.WRITE_DATA_CHAINED, Ins.WRITE_RECORD, Ins.WRITE_RECORD_CHAINED,
        Ins.UPDATE_RECORD, Ins.UPDATE_RECORD_CHAINED, Ins.CREDIT, Ins.DEBIT, Ins.LIMITED_CREDIT,
    }
)  # fmt: skip
"""Commands whose MAC travels in MAC mode; of the others it only moves the IV."""
_ENCIPHERED: Final = frozenset(
    {
        Ins.READ_DATA, Ins.READ_DATA_CHAINED, Ins.READ_RECORDS, Ins.READ_RECORDS_CHAINED, Ins.GET_VALUE, Ins.GET_CARD_UID,
    }
)  # fmt: skip
"""Commands whose answer is encrypted in full mode; the others answer with a MAC."""
KEY_CHANGES: Final = frozenset({Ins.CHANGE_KEY, Ins.CHANGE_KEY_EV2})


class KeyType(IntEnum):
    """Types of keys, as the two top bits of an application's number of keys say."""

    DES = 0x00
    TDES3 = 0x40
    AES = 0x80

    @property
    def size(self) -> int:
        """Bytes of such a key: two DES keys, three, or AES-128."""
        return 24 if self is KeyType.TDES3 else 16

    @property
    def nonce(self) -> int:
        """Bytes of a random number in an authentication with such a key."""
        return 8 if self is KeyType.DES else 16


class BlockCipher:
    """AES or triple DES in CBC, by the type of the key; a DES key of two equal halves is single DES."""

    __slots__ = ("_key", "block")

    def __init__(self, key: bytes, kind: KeyType) -> None:
        self._key = AES(key) if kind is KeyType.AES else TripleDES(key if len(key) == 24 else key + key[:8])  # noqa: PLR2004
        self.block = self._key.block_size // 8

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """CBC over whole blocks."""
        return Cipher(self._key, CBC(iv)).encryptor().update(data)

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """CBC over whole blocks."""
        return Cipher(self._key, CBC(iv)).decryptor().update(data)


def session_key(rnd_a: bytes, rnd_b: bytes, kind: KeyType, *, single: bool = False) -> bytes:
    """The session key of an authentication; `single`: the key was single DES, and so is its session's."""
    first = rnd_a[:4] + rnd_b[:4]
    if kind is KeyType.AES:
        return first + rnd_a[12:16] + rnd_b[12:16]
    if kind is KeyType.TDES3:
        return first + rnd_a[6:10] + rnd_b[6:10] + rnd_a[12:16] + rnd_b[12:16]
    return first + (first if single else rnd_a[4:8] + rnd_b[4:8])


def _doubled(block: bytes) -> bytes:
    """A block times x in GF(2^b), b = 64 or 128 (NIST SP 800-38B, section 6.1)."""
    size = len(block)
    reduction = 0x87 if size == 16 else 0x1B  # noqa: PLR2004  the polynomials of the two sizes
    number = int.from_bytes(block, "big") << 1
    return (number ^ (reduction if number >> 8 * size else 0)).to_bytes(size + 1, "big")[1:]


class Channel:
    """One session in EV1 secure messaging, as terminal and card both keep it."""

    __slots__ = ("_answers", "_cipher", "_ins", "_iv", "_odd", "_whole")

    def __init__(self, key: bytes, kind: KeyType = KeyType.AES) -> None:
        self._cipher = BlockCipher(key, kind)
        self._iv = bytes(self._cipher.block)
        self._ins = 0
        self._answers: tuple[int, ...] = ()
        self._whole = _doubled(self._cipher.encrypt(self._iv, self._iv))
        self._odd = _doubled(self._whole)

    def command(self, ins: int, header: bytes, body: bytes, mode: CommMode) -> bytes:
        """A command's data as it travels."""
        self._ins, self._answers = ins, answer_size(ins, header)
        if mode is CommMode.FULL and body:
            return header + self._sealed(body, crc32(bytes((ins,)) + header + body))
        mac = self._mac(bytes((ins,)) + header + body)
        return header + body + (mac if mode is CommMode.MAC and ins in MACED else b"")

    def opened_answer(self, data: bytes, mode: CommMode) -> bytes:
        """The plain data of an answer; raises SessionBroken."""
        if mode is CommMode.FULL and self._ins in _ENCIPHERED:
            plain = self._unsealed(data)
            return cut(plain, crc32, bytes((Status.OK,)), self._answers or range(len(plain) - _CRC_BYTES))
        plain, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        if not same(mac, self._mac(plain + bytes((Status.OK,)))):
            raise SessionBroken("the answer is not the card's own; tap again")
        return plain

    def opened_command(self, ins: int, data: bytes, mode: CommMode, header: int) -> tuple[bytes, bytes]:
        """Header and plain body of a command; raises SessionBroken, ValueError (too short)."""
        if len(data) < header:
            raise ValueError("the command is too short")
        head, body = data[:header], data[header:]
        self._answers = answer_size(ins, head)
        if mode is CommMode.FULL and body:
            plain, before = self._unsealed(body), bytes((ins,)) + head
            checksum = lambda data: crc32(before + data)  # noqa: E731  covers the command too
            return head, cut(plain, checksum, b"", body_sizes(ins, head, plain), tail=ins in KEY_CHANGES)
        if mode is CommMode.MAC and ins in MACED:
            body, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
            if not same(mac, self._mac(bytes((ins,)) + head + body)):
                raise SessionBroken("the command's MAC is wrong")
            return head, body
        self._mac(bytes((ins,)) + data)
        return head, body

    def answer(self, data: bytes, mode: CommMode) -> bytes:
        """An answer's data as it travels."""
        if mode is CommMode.FULL and data:
            crc = crc32(data + bytes((Status.OK,)))
            # Where the terminal cannot know the length, the end is marked (AN0945, table 24).
            return self._sealed(data, crc + (b"" if self._answers else MARK))
        return data + self._mac(data + bytes((Status.OK,)))

    def checksum(self, data: bytes) -> bytes:
        """CRC32, four bytes."""
        return crc32(data)

    def travels(self, size: int, ins: int, mode: CommMode) -> int:
        """Bytes that a body of so many bytes takes on the way to the card."""
        if mode is CommMode.FULL:
            return -(-(size + _CRC_BYTES) // self._cipher.block) * self._cipher.block
        return size + (MAC_BYTES if mode is CommMode.MAC and ins in MACED else 0)

    def _mac(self, message: bytes) -> bytes:
        """CMAC that starts from the session's IV and becomes it; the first eight bytes."""
        block = self._cipher.block
        last = (len(message) - 1) // block * block
        tail = message[last:]
        padded = (
            xor(tail, self._whole)
            if len(tail) == block
            else xor((tail + b"\x80").ljust(block, b"\0"), self._odd)
        )
        self._iv = self._cipher.encrypt(message[:last] + padded, self._iv)[-block:]
        return self._iv[:MAC_BYTES]

    def _sealed(self, body: bytes, crc: bytes) -> bytes:
        plain = body + crc
        block = self._cipher.block
        sealed = self._cipher.encrypt(plain.ljust(-(-len(plain) // block) * block, b"\0"), self._iv)
        self._iv = sealed[-block:]
        return sealed

    def _unsealed(self, data: bytes) -> bytes:
        block = self._cipher.block
        if len(data) % block:
            raise SessionBroken("an encrypted field is no whole number of blocks; tap again")
        plain = self._cipher.decrypt(data, self._iv)
        self._iv = data[-block:]
        return plain


MARK: Final = b"\x80"
_VALUES: Final = frozenset({Ins.CREDIT, Ins.DEBIT, Ins.LIMITED_CREDIT})
_READS: Final = frozenset({Ins.READ_DATA, Ins.READ_DATA_CHAINED})
_FIXED: Final = {Ins.GET_VALUE: 4, Ins.GET_CARD_UID: 7}
_SETTINGS: Final = {Ins.CHANGE_KEY_SETTINGS: (1,), Ins.SET_CONFIGURATION: (1, 25)}
_MORE_RIGHTS: Final = 0x80
_OWN_ATS: Final = b"\x02"


def answer_size(ins: int, header: bytes) -> tuple[int, ...]:
    """Bytes of an encrypted answer where the command says how many; empty where only the chip knows."""
    if ins in _READS:
        length = int.from_bytes(header[4:7], "little")
        return (length,) if length else ()
    return tuple(size for one, size in _FIXED.items() if one == ins)


def body_sizes(ins: int, header: bytes, plain: bytes) -> Iterable[int]:
    """Sizes that an encrypted body can have: zeros behind a checksum look like one themselves, so its end must be known."""
    if ins in KEY_CHANGES:
        return (16, 17, 24)
    if ins in _VALUES:
        return (4,)
    if ins in MACED:
        return (int.from_bytes(header[-3:], "little"),)
    if ins == Ins.CHANGE_FILE_SETTINGS:
        return (4 + 2 * plain[3],) if plain[0] & _MORE_RIGHTS else range(3, len(plain))
    if ins == Ins.SET_CONFIGURATION and header == _OWN_ATS:
        return (plain[0],)
    return next((sizes for one, sizes in _SETTINGS.items() if one == ins), range(1, len(plain)))


def cut(
    plain: bytes,
    checksum: Callable[[bytes], bytes],
    after: bytes,
    sizes: Iterable[int],
    *,
    tail: bool = False,
) -> bytes:
    """The body of one of these sizes, whose checksum (over it and `after`) and nothing but padding follow; raises SessionBroken.

    With `tail` a second checksum, a new key's, may follow, and belongs to the body.
    """
    for size in sizes:
        crc = checksum(plain[:size] + after)
        rest = plain[size + len(crc) :]
        if plain[size : size + len(crc)] != crc:
            continue
        if rest.rstrip(b"\0") in {b"", MARK}:
            return plain[:size]
        if tail and len(rest.rstrip(b"\0")) <= len(crc):
            return plain[:size] + rest[: len(crc)]
    raise SessionBroken("an encrypted field does not carry its checksum; tap again")
