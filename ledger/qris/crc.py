"""The checksum of a code: CRC-16/CCITT-FALSE (polynomial 1021, initial value FFFF), as four capital hex digits (EMVCo, section 4.7.3)."""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

_INITIAL: Final = 0xFFFF


def crc(text: str) -> str:
    """The checksum of a text in UTF-8, which ends with the identifier and length of the checksum itself ("6304")."""
    return f"{crc_hqx(text.encode(), _INITIAL):04X}"
