"""Many secrets looked for in many bytes at once: raw, in hexadecimal of either case, and in either base64 at every alignment.

Encoded text is decoded and then searched as bytes, so that each secret has one form. A table over three bytes sorts nearly everything out (one look-up a
byte, by NumPy), eight bytes the rest; what is left is compared whole.
"""

from __future__ import annotations

import base64
import string
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

LENGTH_MIN: Final = 8
"""Shorter values stand everywhere by chance."""
_APART: Final = bytes(LENGTH_MIN)
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_PADDED: Final = tuple(b"A" * (4 + -length % 4) for length in range(4))
"""Behind a run of base64, by its length: its last group made whole, and three bytes that hold no secret."""


class Search:
    """Looks for secrets, which are known by kind."""

    def __init__(self, secrets: Mapping[bytes, str]) -> None:
        self._kinds = {
            value: kind for value, kind in secrets.items() if len(value) >= LENGTH_MIN and not is_plain(value)
        }
        self._by_start: dict[int, list[bytes]] = {}
        for value in self._kinds:
            self._by_start.setdefault(int.from_bytes(value[:8], "little"), []).append(value)
        self._starts = np.array(sorted(self._by_start), dtype=np.uint64)
        self._table = np.zeros(1 << 24, dtype=np.bool_)
        self._table[(self._starts & np.uint64(0xFFFFFF)).astype(np.uint32)] = True

    def __len__(self) -> int:
        return len(self._kinds)

    def found(self, said: bytes) -> dict[bytes, str]:
        """The secrets that stand in some bytes, in whatever form, with their kinds."""
        return {one: self._kinds[one] for one in self._raw(_APART.join(_forms(said)))}

    def _raw(self, data: bytes) -> Iterator[bytes]:
        if len(data) < LENGTH_MIN:
            return
        at_each_byte: NDArray[np.uint32] = np.ndarray(len(data) - 7, "<u4", data, strides=(1,))
        for place in np.flatnonzero(self._table.take(at_each_byte & np.uint32(0xFFFFFF))):
            at = int(place)
            for one in self._by_start.get(int.from_bytes(data[at : at + 8], "little"), ()):
                if data.startswith(one, at):
                    yield one


class _Runs:
    """Finds the longest runs of some characters; few bytes are looked at one by one, for a run that is long enough covers a whole group somewhere."""

    def __init__(self, members: bytes, least: int) -> None:
        self._table = bytes(one in members for one in range(256))
        self._least = least
        self._group = np.dtype("<u8" if least >= 15 else "<u4")  # 7 bytes and a group: one of 8, or else of 4
        self._full = int.from_bytes(b"\1" * self._group.itemsize, "little")

    def of(self, data: bytes) -> list[bytes]:
        """All that are long enough, in order."""
        inside, size = data.translate(self._table), self._group.itemsize
        groups = np.frombuffer(inside, self._group, len(inside) // size)
        found, end = [], 0
        for group in np.flatnonzero(groups == self._full).tolist():
            if group * size < end:
                continue
            start = inside.rfind(0, end, group * size) + 1 or end
            end = inside.find(0, group * size)
            end = len(data) if end < 0 else end
            if end - start >= self._least:
                found.append(data[start:end])
        return found


HEX: Final = _Runs(f"{string.hexdigits}: ".encode(), 16)
BASE64: Final = _Runs(f"{string.ascii_letters}{string.digits}+/_-".encode(), 11)


def _forms(said: bytes) -> Iterator[bytes]:
    yield said
    runs = HEX.of(said)
    for skipped in range(2):
        yield b"\0".join(_from_hex(run, skipped) for run in runs)
    runs = BASE64.of(said.replace(b"\r", b"").replace(b"\n", b""))
    for skipped in range(4):
        yield _from_base64([run[skipped:] for run in runs])


def _from_hex(run: bytes, skipped: int) -> bytes:
    digits = run.replace(b" ", b"").replace(b":", b"")[skipped:]
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _from_base64(runs: list[bytes]) -> bytes:
    """Whatever whole bytes they hold, also where a last group is cut short."""
    whole = b"".join(run + _PADDED[len(run) % 4] for run in runs)
    return base64.b64decode(whole.translate(_STANDARD))


def is_plain(value: bytes) -> bool:
    """True for zeros, counting bytes and the like, and for few bytes again and again: known to everybody, hence nobody's secret."""
    return len({(after - before) & 0xFF for before, after in pairwise(value)}) <= 1 or len(set(value)) <= 4


def in_texts(secrets: Iterable[bytes], texts: Iterable[bytes]) -> set[bytes]:
    """Those that somebody has published: their hexadecimal stands in a text."""
    lowered = [text.lower() for text in texts]
    return {one for one in secrets if any(one.hex().encode() in text for text in lowered)}
