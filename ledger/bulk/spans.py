"""A column of byte strings or texts that stand in one buffer: by places and lengths, without a Python object for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Octets = npt.NDArray[np.uint8]
    Integers = npt.NDArray[np.int64]


class Spans(Sequence[Any]):
    """As a sequence, `bytes` each, or `str` where the column is one of texts in UTF-8."""

    def __init__(self, source: Octets, starts: Integers, lengths: Integers, *, text: bool = False) -> None:
        self.source = source
        self.starts = starts
        self.lengths = lengths
        self.text = text

    @classmethod
    def equal(cls, values: Sequence[bytes], length: int) -> Self:
        """Values of one and the same length."""
        starts = np.arange(len(values), dtype=np.int64) * length
        return cls(np.frombuffer(b"".join(values), np.uint8), starts, np.full(len(values), length, np.int64))

    @classmethod
    def chosen(cls, texts: Sequence[str], which: Integers) -> Self:
        """One of a few texts in each row."""
        encoded = [text.encode() for text in texts]
        lengths = np.array([len(one) for one in encoded], np.int64)
        starts = np.cumsum(lengths) - lengths
        return cls(np.frombuffer(b"".join(encoded), np.uint8), starts[which], lengths[which], text=True)

    @classmethod
    def joined(cls, parts: Iterable[Spans]) -> Spans:
        """Several columns as one, behind each other."""
        many = list(parts)
        lengths = np.concatenate([part.lengths for part in many])
        octets = np.concatenate([part.octets() for part in many])
        return Spans(octets, np.cumsum(lengths) - lengths, lengths, text=many[0].text)

    def taken(self, places: Integers) -> Spans:
        """Some of the values."""
        return Spans(self.source, self.starts[places], self.lengths[places], text=self.text)

    def octets(self) -> Octets:
        """All values, one behind the other."""
        out = np.empty(int(self.lengths.sum()), np.uint8)
        _copy(out, self.source, self.starts, self.lengths)
        return out

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> Spans: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return Spans(self.source, self.starts[at], self.lengths[at], text=self.text)
        start = int(self.starts[at])
        value = self.source[start : start + int(self.lengths[at])].tobytes()
        return value.decode() if self.text else value


@njit(cache=True, nogil=True)
def _copy(out: Any, source: Any, starts: Any, lengths: Any) -> None:
    at = 0
    for row in range(len(starts)):
        start = starts[row]
        for place in range(lengths[row]):
            out[at + place] = source[start + place]
        at += lengths[row]
