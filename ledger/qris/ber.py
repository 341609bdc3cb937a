"""BER-TLV (EMV Book 3, annex B): tags of one or two bytes, lengths in definite form, constructed values inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.errors import QrReason, QrRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

_MORE: Final = 0x1F
_LONG_FORM: Final = 0x80
_TWO_BYTES: Final = 2


class BerObject(NamedTuple):
    """A tag as its bytes say it, and the value."""

    tag: int
    value: bytes


def parse(data: bytes, within: str = "") -> tuple[BerObject, ...]:
    """Objects in their order, those within them left as bytes.

    Raises QrRefused: LENGTH_INVALID for a tag over two bytes or a length that is not the shortest form, LENGTH_OVERRUN, TAG_REPEATED
    within a template.
    """
    objects: list[BerObject] = []
    at = 0
    while at < len(data):
        tag, at = _tag(data, at, within)
        name = f"{within}{tag:02X}"
        length, at = _length(data, at, name)
        if at + length > len(data):
            raise QrRefused(
                QrReason.LENGTH_OVERRUN, f"{name} says {length} bytes, {len(data) - at} are there", name
            )
        objects.append(BerObject(tag, data[at : at + length]))
        at += length
    return tuple(objects)


def encode(objects: Iterable[BerObject]) -> bytes:
    """Objects as bytes, in the order given; raises QrRefused for a value over 255 bytes."""
    return b"".join([_one(one) for one in objects])


def _one(one: BerObject) -> bytes:
    size = len(one.value)
    if size > 0xFF:  # noqa: PLR2004  what one more byte can say
        raise QrRefused(
            QrReason.LENGTH_OVERRUN, f"{one.tag:02X} has {size} bytes: at most 255", f"{one.tag:02X}"
        )
    length = bytes([size]) if size < _LONG_FORM else bytes([_LONG_FORM | 1, size])
    return one.tag.to_bytes(2 if one.tag > 0xFF else 1) + length + one.value  # noqa: PLR2004  a byte


def _tag(data: bytes, at: int, within: str) -> tuple[int, int]:
    if data[at] & _MORE != _MORE:
        return data[at], at + 1
    if at + 1 >= len(data) or data[at + 1] & 0x80:
        raise QrRefused(
            QrReason.LENGTH_INVALID, f"a tag at byte {at} has no end, or more than two bytes", within
        )
    return int.from_bytes(data[at : at + _TWO_BYTES]), at + _TWO_BYTES


def _length(data: bytes, at: int, name: str) -> tuple[int, int]:
    if at >= len(data):
        raise QrRefused(QrReason.LENGTH_OVERRUN, f"{name} has no length", name)
    if data[at] < _LONG_FORM:
        return data[at], at + 1
    if data[at] != _LONG_FORM | 1 or at + 1 >= len(data) or data[at + 1] < _LONG_FORM:
        raise QrRefused(
            QrReason.LENGTH_INVALID, f"{name} has a length that is not the shortest of at most 255", name
        )
    return data[at + 1], at + _TWO_BYTES
