"""The hotlist: the blocked cards' UIDs as a sorted array of 8-byte numbers (least significant byte first), searched in halves.

A body is CBOR [SHA-256 of the array that results, added, removed]; a full list is a delta on nothing.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import cbor2

from keys import cbor
from keys.errors import CborMalformed
from terminals.errors import BundleGap, BundleMalformed

if TYPE_CHECKING:
    from collections.abc import Iterable

ENTRY_BYTES: Final = 8
DIGEST_BYTES: Final = 32
_PARTS: Final = 3
_CODE: Final = "Q"


class Hotlist:
    """Blocked cards, as many as there are; looking one up takes log2(n) comparisons and no memory."""

    def __init__(self, entries: array[int]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, uid: bytes) -> bool:
        """True where a card of this UID is blocked."""
        number = int.from_bytes(uid, "big")
        place = bisect_left(self._entries, number)
        return place < len(self._entries) and self._entries[place] == number

    @classmethod
    def of(cls, uids: Iterable[int]) -> Hotlist:
        """From UIDs as numbers, most significant byte first."""
        return cls(array(_CODE, sorted(set(uids))))

    @classmethod
    def from_bytes(cls, data: bytes) -> Hotlist:
        """From the bytes of an array; raises BundleMalformed where it is not sorted or holds an entry twice."""
        if len(data) % ENTRY_BYTES:
            raise BundleMalformed("the hotlist's array is cut off")
        entries = array(_CODE, data)
        if sys.byteorder == "big":
            entries.byteswap()
        if not all(lower < higher for lower, higher in pairwise(entries)):
            raise BundleMalformed("the hotlist's array is not in ascending order")
        return cls(entries)

    def to_bytes(self) -> bytes:
        """The array's bytes."""
        if sys.byteorder == "little":
            return self._entries.tobytes()
        swapped = array(_CODE, self._entries)
        swapped.byteswap()
        return swapped.tobytes()

    def digest(self) -> bytes:
        """SHA-256 of the array's bytes."""
        return hashlib.sha256(self.to_bytes()).digest()

    def numbers(self) -> list[int]:
        """The UIDs as numbers, ascending."""
        return self._entries.tolist()

    def changed(self, added: Hotlist, removed: Hotlist) -> Hotlist:
        """This list with some cards more and some less; raises BundleGap where they do not fit it."""
        out, at = array(_CODE), 0
        changes = [(number, True) for number in added._entries]
        changes += [(number, False) for number in removed._entries]
        for number, adds in sorted(changes):
            place = bisect_left(self._entries, number, at)
            out.extend(self._entries[at:place])
            present = place < len(self._entries) and self._entries[place] == number
            if present is adds:
                raise BundleGap("the hotlist's changes do not fit the list that is here")
            at = place + present
            if adds:
                out.append(number)
        out.extend(self._entries[at:])
        return Hotlist(out)


NOBODY: Final = Hotlist(array(_CODE))
"""The list that blocks nobody."""


def encode_full(wanted: Hotlist) -> bytes:
    """The body of a full list."""
    return encode_delta(NOBODY, wanted)


def encode_delta(base: Hotlist, wanted: Hotlist) -> bytes:
    """The body that makes one list into another."""
    before, after = set(base.numbers()), set(wanted.numbers())
    added, removed = Hotlist.of(after - before), Hotlist.of(before - after)
    return cbor2.dumps([wanted.digest(), added.to_bytes(), removed.to_bytes()], canonical=True)


def result_digest(body: bytes) -> bytes:
    """The SHA-256 that the resulting array must have; raises BundleMalformed."""
    return _parts(body)[0]


def apply(base: Hotlist, body: bytes) -> Hotlist:
    """The list that a body makes of another; raises BundleMalformed, BundleGap where the body is not for that one."""
    digest, added, removed = _parts(body)
    made = base.changed(Hotlist.from_bytes(added), Hotlist.from_bytes(removed))
    if made.digest() != digest:
        raise BundleGap("the hotlist that results is not the city's")
    return made


def _parts(body: bytes) -> tuple[bytes, bytes, bytes]:
    try:
        parts: Any = cbor.decoded(body)
    except CborMalformed:
        raise BundleMalformed("the hotlist is no CBOR") from None
    if (
        not isinstance(parts, list)
        or len(parts) != _PARTS
        or not all(isinstance(part, bytes) for part in parts)
        or len(parts[0]) != DIGEST_BYTES
        or not cbor.is_deterministic(parts, body)
    ):
        raise BundleMalformed("a hotlist is an array of digest, added and removed cards")
    return parts[0], parts[1], parts[2]
