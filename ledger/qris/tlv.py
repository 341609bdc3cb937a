"""Data objects of a merchant-presented code: two digits of identifier, two of length, the value (EMVCo QRCPS Merchant-Presented 1.1, section 3.2).

A length counts characters of the text, as the standard has it for values in other scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.errors import QrReason, QrRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

VALUE_MAX: Final = 99
_HEAD: Final = 4
_TWO_DIGITS: Final = {f"{number:02d}": number for number in range(100)}


class DataObject(NamedTuple):
    """An identifier of two digits, and its value as it stands in the code."""

    tag: str
    value: str


def parse(text: str, within: str = "") -> tuple[DataObject, ...]:
    """Data objects in their order. `within` names the template whose value this is.

    Raises QrRefused: LENGTH_INVALID, LENGTH_OVERRUN, TAG_REPEATED.
    """
    objects: list[DataObject] = []
    seen: set[str] = set()
    at, end = 0, len(text)
    while at < end:
        tag, length = text[at : at + 2], _TWO_DIGITS.get(text[at + 2 : at + _HEAD])
        if length is None or tag not in _TWO_DIGITS:
            raise _refused(
                QrReason.LENGTH_INVALID, within + tag, "an identifier and a length are two digits each"
            )
        at += _HEAD + length
        if at > end or not length:
            reason = QrReason.LENGTH_OVERRUN if length else QrReason.LENGTH_INVALID
            raise _refused(reason, within + tag, f"says {length} characters, {end - at + length} are there")
        if tag in seen:
            raise _refused(QrReason.TAG_REPEATED, within + tag, "stands twice")
        seen.add(tag)
        objects.append(DataObject(tag, text[at - length : at]))
    return tuple(objects)


def encode(objects: Iterable[DataObject]) -> str:
    """Data objects as text, in the order given; raises QrRefused for a value that no length can say."""
    return "".join([_one(tag, value) for tag, value in objects])


def _one(tag: str, value: str) -> str:
    if tag not in _TWO_DIGITS or not 0 < len(value) <= VALUE_MAX:
        raise _refused(QrReason.LENGTH_INVALID, tag, f"a value has 1 to {VALUE_MAX} characters")
    return f"{tag}{len(value):02d}{value}"


def _refused(reason: QrReason, tag: str, text: str) -> QrRefused:
    return QrRefused(reason, f"data object {tag or '(none)'}: {text}", tag)
