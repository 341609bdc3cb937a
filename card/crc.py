"""The checksums of contactless cards on the air, which D40 secure messaging uses inside too (ISO/IEC 14443-3, annex B)."""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x8408


def crc_a(data: bytes) -> bytes:
    """CRC_A of type A cards, two bytes as they are transmitted."""
    return _crc(data, 0x6363).to_bytes(2, "little")


def crc_b(data: bytes) -> bytes:
    """CRC_B of type B cards, two bytes as they are transmitted."""
    return (_crc(data, 0xFFFF) ^ 0xFFFF).to_bytes(2, "little")


def _crc(data: bytes, start: int) -> int:
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc
