"""The steps of a night, in order. Each finds what an earlier run left, so that a night may be run again after a crash at any point."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """A step, as people are told of it."""

    FARES = "fares put right"
    BANKS = "banks asked what is open"
    CLOSE = "window closed"
    SETTLE = "positions and entries"
    FILES = "payment files"
    STATEMENTS = "statements in"
    MIRROR = "savings mirrored"
    MATCH = "matches and breaks"
    THREE_WAY = "three-way report"
