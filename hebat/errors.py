"""What can go wrong when the city is put together and run.

HebatError
 ├── InputRefused         a file or an option that cannot be used; exit code 2
 │    ├── TapsRefused     a file of taps, with line and column
 │    └── FeedRefused     a GTFS folder
 └── LawBroken            a law of the ledger does not hold; exit code 1
"""

from __future__ import annotations


class HebatError(Exception):
    """Root of this package's errors. Each says what happened and what to do."""

    exit_code = 1


class InputRefused(HebatError):
    """A file or an option that cannot be used as it is."""

    exit_code = 2


class TapsRefused(InputRefused):
    """A file of taps that cannot be run; names the line and the column."""

    def __init__(self, path: str, line: int, column: str, reason: str) -> None:
        super().__init__(f"{path}, line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


class FeedRefused(InputRefused):
    """A GTFS folder that lacks what a day needs."""


class LawBroken(HebatError):
    """A law of the ledger does not hold over this run."""
