"""What can go wrong when the city is put together and run.

HebatError
 ├── InputRefused         a file or an option that cannot be used; exit code 2
 │    ├── TapsRefused     a file of taps, with line and column
 │    ├── FeedRefused     a GTFS folder
 │    └── BatchesSpent    a rehearsal asked for more batches than are left
 ├── LawBroken            a law of the ledger does not hold; exit code 1
 ├── NightRefused         what a server says against a night that it was asked for, with its exit code
 └── NightCut             the server that ran a night ended; exit code 4, come again
"""

from __future__ import annotations

import errno
from typing import Final

from ledger.errors import DatabaseBusy, DatabaseDamaged, ExportDamaged, ProofInvalid


class HebatError(Exception):
    """Root of this package's errors. Each says what happened and what to do."""

    exit_code = 1


class InputRefused(HebatError):
    """A file or an option that cannot be used as it is."""

    exit_code = 2


TO_LOOK_AT: Final = 5
"""What a command ends with that is done, and found something that a person is to look at."""


def exit_code_of(error: Exception) -> int:
    """What a command ends with: 1 a law or a proof does not hold, 2 the caller can mend it, 3 damage was found, 4 in use: come later.

    `TO_LOOK_AT` is none of an error: all was done.
    """
    if isinstance(error, HebatError):
        return error.exit_code
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    return InputRefused.exit_code


_CODES: Final = {ProofInvalid: 1, DatabaseDamaged: 3, ExportDamaged: 3, DatabaseBusy: 4}


def said_by_system(error: OSError) -> str:
    """What the system says against a file or a folder, in one sentence with what to do."""
    where = f"{error.filename}: " if error.filename is not None else ""
    return (
        f"{where}{error.strerror}; {_ADVICE.get(error.errno or 0, 'look at the place, or name another one')}"
    )


_ADVICE: Final = {
    errno.ENOENT: "look whether the name is right",
    errno.EACCES: "come as its owner, or name another place",
    errno.EPERM: "come as its owner, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
}


class NightRefused(HebatError):
    """What a server says against a night that it was asked for; `exit_code` is what that asks for."""

    def __init__(self, said: str, exit_code: int) -> None:
        super().__init__(said)
        self.exit_code = exit_code


class NightCut(HebatError):
    """The server that ran a night ended before it; nothing is half done."""

    exit_code = 4


class TapsRefused(InputRefused):
    """A file of taps that cannot be run; names the line and the column."""

    def __init__(self, path: str, line: int, column: str, reason: str) -> None:
        super().__init__(f"{path}, line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


class FeedRefused(InputRefused):
    """A GTFS folder that lacks what a day needs."""


class BatchesSpent(InputRefused):
    """The batches that were prepared for a rehearsal do not suffice for its next step."""


class LawBroken(HebatError):
    """A law of the ledger does not hold over this run."""
