"""A process that holds keys leaves no image of its memory: no core dump, and no tracing by others of the same user (prctl(2), core(5))."""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def forbid_dumps() -> None:
    """Switch core dumps off for this process and its children; on Linux, forbid tracing this process too."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
