"""How the kernel's functions are compiled: once after installation, kept on disk, loaded by every later process.

numba keeps compiled code beside the source; where that folder cannot be written, in the user's cache folder, and where
`NUMBA_CACHE_DIR` names one, there. Where no folder at all can be written, functions are compiled in each process. numba itself looks
at a function's own file to see whether its code is fresh. The kernel stands in several, each built into the others' code, so here
the bytes of them all decide.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# Arrays belong to the caller for the whole call: without counting references (two atomic operations at every use), a batch takes
# less than half the time.
_BORROWED: Final[dict[str, Any]] = {"_nrt": False}
SOURCES: Final = (
    "cells",
    "chart",
    "compiled",
    "kernel",
    "places",
    "refusals",
    "rules",
    "streams",
    "transfer",
)
"""The modules whose functions and numbers are built into compiled code."""


@cache
def stamp() -> str:
    """SHA-256 over the sources."""
    folder, seen = Path(__file__).parent, hashlib.sha256()
    for name in SOURCES:
        seen.update((folder / f"{name}.py").read_bytes())
    return seen.hexdigest()


def _made(function: _Function, how: dict[str, Any]) -> _Function:
    made: Any
    try:
        made = njit(**how, cache=True, **_BORROWED)(function)
    except RuntimeError:  # no folder for a cache
        made = njit(**how, **_BORROWED)(function)
    else:
        made._cache._cache_file._source_stamp = stamp()  # noqa: SLF001  numba has no door for it; a test holds this
    kept: _Function = made
    return kept


def compiled(function: _Function) -> _Function:
    """Machine code; other threads wait while it runs."""
    return _made(function, {})


def inlined(function: _Function) -> _Function:
    """Machine code within whatever calls it."""
    return _made(function, {"forceinline": True})


def unlocked(function: _Function) -> _Function:
    """Machine code beside which other threads run."""
    return _made(function, {"nogil": True})
