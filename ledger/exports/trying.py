"""Parquet from elsewhere, read first by a process that may die of it.

The library ends its process, and raises nothing, where a page says that it holds more than there is memory for. A manifest names each file's digest, so that
only who made a whole export can bring such a file; whoever takes it in is told so, and keeps the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final, Self

from ledger.errors import ExportDamaged, StorageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_READY: Final = "ready\n"
_DONE: Final = "done\n"


class Trial:
    """Such a process, while the context lasts; one that died is followed by another."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """The process begins with the first file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._ended()

    def look(self, path: Path, name: str) -> None:
        """Read a file there, whether it is good or bad; raises ExportDamaged where that ended the process."""
        process = self._process or self._begun()
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(str(path.absolute())) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != _DONE:
            self._ended()
            raise ExportDamaged(
                f"{name} holds what no reader survives: take the export from its source again"
            )

    def _begun(self) -> subprocess.Popen[str]:
        made = subprocess.Popen(  # noqa: S603  this very interpreter, and a module of this package
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "RUST_BACKTRACE": "0"},
        )
        self._process = made
        assert made.stdout is not None  # noqa: S101  a pipe
        if made.stdout.readline() != _READY:
            self._ended()
            raise StorageError("the process that reads Parquet first cannot start: is there memory for it?")
        return made

    def _ended(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def main() -> None:
    """Read files whose paths come line by line, until there are no more."""
    import polars as pl  # noqa: PLC0415  what may end this process
    from polars.exceptions import PanicException, PolarsError  # noqa: PLC0415

    sys.stdout.write(_READY)
    sys.stdout.flush()
    for line in sys.stdin:
        with contextlib.suppress(PolarsError, PanicException, OSError):
            pl.read_parquet(
                json.loads(line), memory_map=False
            )  # whoever asked reads it again, and says what is wrong
        sys.stdout.write(_DONE)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
