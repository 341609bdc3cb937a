"""The C library's allocator, told to keep what a busy server frees: it would ask the system for it again at once, and get it page by page, each cleared."""

from __future__ import annotations

import ctypes
from typing import Final

KEPT_BYTES_MAX: Final = 32 << 20
"""What each of the allocator's arenas may hold unused, and up to which size it takes blocks from there: a commit's columns are megabytes."""
AHEAD_BYTES: Final = 1 << 20
"""By how much more than it needs an arena grows."""
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h; see mallopt(3)


def keep_memory() -> None:
    """Give freed memory back to the system late: a process that serves and nothing else calls this. Without glibc nothing is done."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for parameter, value in (
        (_MMAP_THRESHOLD, KEPT_BYTES_MAX),
        (_TRIM_THRESHOLD, KEPT_BYTES_MAX),
        (_TOP_PAD, AHEAD_BYTES),
    ):
        mallopt(parameter, value)
