"""Compiled functions beside which other threads run: compiled once, kept on disk for as long as all that went into them is the same.

numba itself looks at a function's own file to see whether its code is fresh. A function holds code and numbers of other modules too, so the bytes of every file
that is named here decide.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def stamp_of(sources: Iterable[Path]) -> str:
    """SHA-256 over some files."""
    seen = hashlib.sha256()
    for path in sources:
        seen.update(hashlib.sha256(path.read_bytes()).digest())
    return seen.hexdigest()


def unlocked(*sources: Path) -> Callable[[_Function], _Function]:
    """A decorator that compiles functions out of these files."""
    stamp = stamp_of(sources)

    def compiled(function: _Function) -> _Function:
        made: Any
        try:
            made = njit(nogil=True, cache=True)(function)
        except RuntimeError:  # no folder for a cache: every process compiles for itself
            made = njit(nogil=True)(function)
        else:
            made._cache._cache_file._source_stamp = stamp  # noqa: SLF001  numba has no door for it; a test holds this
        kept: _Function = made
        return kept

    return compiled
