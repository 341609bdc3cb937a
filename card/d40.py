"""D40 secure messaging, the oldest: DES, the terminal only decrypts and the chip only encrypts, no IV is kept. Pure.

Source: MF3ICD40 data sheet. For clients that authenticate with AuthenticateLegacy.
"""

from __future__ import annotations

from typing import Final

from card.apdu import Ins
from card.channel import CommMode
from card.crc import crc_a
from card.errors import SessionBroken
from card.ev1 import KEY_CHANGES, MACED, MARK, BlockCipher, KeyType, answer_size, body_sizes, cut
from card.ev2 import same
from keys.diversify import xor

BLOCK: Final = 8
MAC_BYTES: Final = 4
_CRC_BYTES: Final = 2
_ZERO: Final = bytes(BLOCK)
_MACED_ANSWERS: Final = frozenset(
    {Ins.READ_DATA, Ins.READ_DATA_CHAINED, Ins.READ_RECORDS, Ins.READ_RECORDS_CHAINED, Ins.GET_VALUE}
)


def sent(cipher: BlockCipher, data: bytes) -> bytes:
    """Whole blocks as a terminal sends them: mixed with the block before, then decrypted."""
    blocks, last = [], _ZERO
    for at in range(0, len(data), BLOCK):
        last = cipher.decrypt(xor(data[at : at + BLOCK], last), _ZERO)
        blocks.append(last)
    return b"".join(blocks)


def received(cipher: BlockCipher, data: bytes) -> bytes:
    """What a terminal sent, as the chip finds it: encrypted, then mixed with the block before."""
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
    before = [_ZERO, *blocks]
    return b"".join(xor(cipher.encrypt(one, _ZERO), last) for one, last in zip(blocks, before, strict=False))


class Channel:
    """One session in D40 secure messaging, as terminal and chip both keep it."""

    __slots__ = ("_answers", "_cipher", "_ins")

    def __init__(self, key: bytes) -> None:
        self._cipher = BlockCipher(key, KeyType.DES)
        self._ins = 0
        self._answers: tuple[int, ...] = ()

    def command(self, ins: int, header: bytes, body: bytes, mode: CommMode) -> bytes:
        """A command's data as it travels."""
        self._ins, self._answers = ins, answer_size(ins, header)
        if mode is CommMode.FULL and body:
            return header + sent(self._cipher, _filled(body + crc_a(body)))
        return header + body + (self._mac(body) if mode is CommMode.MAC and ins in MACED else b"")

    def opened_answer(self, data: bytes, mode: CommMode) -> bytes:
        """The plain data of an answer; raises SessionBroken."""
        if mode is CommMode.FULL and data:
            plain = self._cipher.decrypt(data, _ZERO)
            return cut(
                plain, crc_a, b"", self._answers or range(max(len(data) - BLOCK - 1, 1), len(data) - 1)
            )
        if mode is not CommMode.MAC or self._ins not in _MACED_ANSWERS:
            return data
        plain, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        if not same(mac, self._mac(plain)):
            raise SessionBroken("the answer is not the card's own; tap again")
        return plain

    def opened_command(self, ins: int, data: bytes, mode: CommMode, header: int) -> tuple[bytes, bytes]:
        """Header and plain body of a command; raises SessionBroken, ValueError (too short)."""
        self._ins = ins
        if len(data) < header:
            raise ValueError("the command is too short")
        head, body = data[:header], data[header:]
        self._answers = answer_size(ins, head)
        if mode is CommMode.FULL and body:
            if len(body) % BLOCK:
                raise SessionBroken("an encrypted field is no whole number of blocks")
            plain = received(self._cipher, body)
            return head, cut(plain, crc_a, b"", body_sizes(ins, head, plain), tail=ins in KEY_CHANGES)
        if mode is CommMode.MAC and ins in MACED:
            body, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
            if not same(mac, self._mac(body)):
                raise SessionBroken("the command's MAC is wrong")
        return head, body

    def answer(self, data: bytes, mode: CommMode) -> bytes:
        """An answer's data as it travels."""
        if mode is CommMode.FULL and data:
            # Where the terminal cannot know the length, the end is marked, as in EV1.
            return self._cipher.encrypt(_filled(data + crc_a(data) + (b"" if self._answers else MARK)), _ZERO)
        return data + (
            self._mac(data) if data and mode is CommMode.MAC and self._ins in _MACED_ANSWERS else b""
        )

    def checksum(self, data: bytes) -> bytes:
        """CRC_A, two bytes."""
        return crc_a(data)

    def travels(self, size: int, ins: int, mode: CommMode) -> int:
        """Bytes that a body of so many bytes takes on the way to the card."""
        if mode is CommMode.FULL:
            return len(_filled(bytes(size + _CRC_BYTES)))
        return size + (MAC_BYTES if mode is CommMode.MAC and ins in MACED else 0)

    def _mac(self, data: bytes) -> bytes:
        return self._cipher.encrypt(_filled(data), _ZERO)[-BLOCK:][:MAC_BYTES]


def _filled(data: bytes) -> bytes:
    return data.ljust(max(-(-len(data) // BLOCK), 1) * BLOCK, b"\0")
