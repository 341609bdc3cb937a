"""The access log: a line a call, rendered as every other event, and written to standard error many at a time.

A system call a line would cost a fast route as much as its work. A line is at most `HELD_SECONDS` late, and a server that stops writes what
waits; what a killed process had not written yet is lost, which is why nothing but calls is logged here.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

import structlog

HELD_SECONDS: Final = 0.25
HELD_MAX: Final = 512
KINDS_MAX: Final = 4096
"""Kinds of calls (method, route, status, client, problem) whose lines are kept ready."""
_MS: Final = 987654321.5
"""No call takes as long: it shows where a rendered line has its duration."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Lines:
    """Where rendered lines wait; structlog calls it as it would a logger."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._due: asyncio.Task[None] | None = None

    def info(self, line: str) -> None:
        """Take a line."""
        self._waiting.append(line)
        if len(self._waiting) >= HELD_MAX:
            self.flush()
        elif len(self._waiting) == 1:
            # A task and no timer: a server that stops cancels its tasks, and what waits is written then.
            self._due = asyncio.get_running_loop().create_task(asyncio.sleep(HELD_SECONDS))
            self._due.add_done_callback(lambda _: self.flush())

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            sys.stderr.write("\n".join(waiting) + "\n")
            sys.stderr.flush()


class _Kept:
    """Keeps the last rendered line."""

    def __init__(self) -> None:
        self.line = ""

    def info(self, line: str) -> None:
        """Take a line."""
        self.line = line


class _Moments:
    """Writes moments as structlog does, each second's part once."""

    def __init__(self) -> None:
        self._second = -1
        self._written = ""

    def now(self) -> str:
        """The moment that it is."""
        second, rest = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._written = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._written}.{rest // 1000:06d}Z"


class AccessLog:
    """Renders calls as structlog is configured now: once for each kind of call, of which then only duration and time change."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._plain: Any = structlog.wrap_logger(lines).bind()
        self._kept = _Kept()
        self._once: Any = structlog.wrap_logger(self._kept).bind()
        self._kinds: dict[tuple[str, str, int, str, str], str | None] = {}
        self._moments = _Moments()

    def call(
        self, method: str, route: str, status: int, client: str, seconds: float, problem: str = ""
    ) -> None:
        """One line; `problem` names what refused the call."""
        kind, ms = (method, route, status, client, problem), round(seconds * 1000, 1)
        if kind not in self._kinds and len(self._kinds) < KINDS_MAX:
            self._kinds[kind] = self._rendered(*kind)
        line = self._kinds.get(kind)
        if line is None:
            self._plain.info(
                "call", method=method, route=route, status=status, ms=ms, client=client, problem=problem
            )
        else:
            self._lines.info(line % {"ms": ms, "at": self._moments.now()})

    def _rendered(self, method: str, route: str, status: int, client: str, problem: str) -> str | None:
        """The line of this kind with places for duration and time; None where they are not to be found in it once each."""
        self._kept.line = ""
        self._once.info(
            "call", method=method, route=route, status=status, ms=_MS, client=client, problem=problem
        )
        line = self._kept.line.replace("%", "%%")
        if line.count(repr(_MS)) != 1 or len(_TIME.findall(line)) != 1:
            return None
        return _TIME.sub("%(at)s", line.replace(repr(_MS), "%(ms)s"))
