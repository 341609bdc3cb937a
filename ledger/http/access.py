"""The access log: a line a call, rendered as every other event, and written to standard error many at a time.

A system call a line would cost a fast route as much as its work. A line is at most `HELD_SECONDS` late; what a killed process had not
written yet is lost, which is why nothing but calls is logged here.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import structlog

HELD_SECONDS: Final = 0.25
HELD_MAX: Final = 512


class Lines:
    """Where rendered lines wait; structlog calls it as it would a logger."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def info(self, line: str) -> None:
        """Take a line."""
        self._waiting.append(line)
        if len(self._waiting) >= HELD_MAX:
            self.flush()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(HELD_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            sys.stderr.write("\n".join(waiting) + "\n")
            sys.stderr.flush()


def access_log(lines: Lines) -> Any:
    """A logger of calls, as structlog is configured now."""
    return structlog.wrap_logger(lines).bind()
