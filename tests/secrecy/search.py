"""Many secrets looked for in many bytes at once: raw, in hexadecimal of either case, and in either base64 at every alignment.

Encoded text is decoded and then searched as bytes, so that each secret has one form. A table over three bytes sorts nearly everything out (one look-up a
byte, by NumPy), eight bytes the rest; what is left is compared whole.
"""

from __future__ import annotations

import base64
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

LENGTH_MIN: Final = 8
"""Shorter values stand everywhere by chance."""
_HEX: Final = re.compile(rb"[0-9A-Fa-f: ]{16,}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


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
        return {one: self._kinds[one] for form in _forms(said) for one in self._raw(form)}

    def _raw(self, data: bytes) -> Iterator[bytes]:
        if len(data) < LENGTH_MIN:
            return
        every = np.frombuffer(data, dtype=np.uint8)
        low: NDArray[np.uint32] = every[:-7].astype(np.uint32)
        low |= every[1:-6].astype(np.uint32) << np.uint32(8)
        low |= every[2:-5].astype(np.uint32) << np.uint32(16)
        for place in np.flatnonzero(self._table[low]):
            at = int(place)
            for one in self._by_start.get(int.from_bytes(data[at : at + 8], "little"), ()):
                if data.startswith(one, at):
                    yield one


def _forms(said: bytes) -> Iterator[bytes]:
    yield said
    runs = _HEX.findall(said)
    for skipped in range(2):
        yield b"\0".join(_from_hex(run, skipped) for run in runs)
    runs = _BASE64.findall(said.replace(b"\r", b"").replace(b"\n", b""))
    for skipped in range(4):
        yield b"\0".join(_from_base64(run[skipped:]) for run in runs)


def _from_hex(run: bytes, skipped: int) -> bytes:
    digits = run.replace(b" ", b"").replace(b":", b"")[skipped:]
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _from_base64(run: bytes) -> bytes:
    """Whatever whole bytes a run holds, also where its last group is cut short."""
    whole, rest = divmod(len(run), 4)
    padded = run[: 4 * whole] if rest == 1 else run + b"=" * (-len(run) % 4)
    return base64.b64decode(padded.translate(_STANDARD))


def is_plain(value: bytes) -> bool:
    """True for zeros, counting bytes and the like, and for few bytes again and again: known to everybody, hence nobody's secret."""
    return len({(after - before) & 0xFF for before, after in pairwise(value)}) <= 1 or len(set(value)) <= 4


def in_texts(secrets: Iterable[bytes], texts: Iterable[bytes]) -> set[bytes]:
    """Those that somebody has published: their hexadecimal stands in a text."""
    lowered = [text.lower() for text in texts]
    return {one for one in secrets if any(one.hex().encode() in text for text in lowered)}
