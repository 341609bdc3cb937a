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


def die_with(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """On Linux, have the kernel end this process by a signal once its parent, whose id this is, has ended, however that ended.

    What it becomes by exec(3) ends so too; another user that it becomes is to be it before.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
        if os.getppid() != parent:  # it had ended before it was asked after
            os._exit(0)


def forbid_dumps() -> None:
    """Switch core dumps off for this process and its children; on Linux, forbid tracing this process too."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
