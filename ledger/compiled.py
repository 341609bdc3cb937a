"""How the kernel's functions are compiled: once after installation, kept on disk, loaded by every later process.

numba keeps compiled code beside the source; where that folder cannot be written, in the user's cache folder, and where
`NUMBA_CACHE_DIR` names one, there. Where no folder at all can be written, functions are compiled in each process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# Arrays belong to the caller for the whole call: without counting references (two atomic operations at every use), a batch takes
# less than half the time.
_BORROWED: Final[dict[str, Any]] = {"_nrt": False}


def _made(function: _Function, how: dict[str, Any]) -> _Function:
    try:
        made: Any = njit(**how, cache=True, **_BORROWED)(function)
    except RuntimeError:  # no folder for a cache
        made = njit(**how, **_BORROWED)(function)
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
