"""What a process asks of its kernel: to leave no image of its memory (no core dump, no tracing by others of the same user), and to end with its parent (prctl(2), core(5))."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def die_with(parent: int) -> None:
    """On Linux, have the kernel kill this process once its parent, whose id this is, has ended, however that ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it had ended before it was asked after
            os._exit(0)


def forbid_dumps() -> None:
    """Switch core dumps off for this process and its children; on Linux, forbid tracing this process too."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
