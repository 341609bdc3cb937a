"""One writer a database: a lease that a second server is refused.

Held by a lock on a file beside a SQLite database, which the operating system gives back when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from ledger.errors import DatabaseBusy

if TYPE_CHECKING:
    from pathlib import Path


class FileLease:
    """The lease on a SQLite database."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseBusy where another process holds it."""
        path = database.with_name(database.name + ".lease")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise DatabaseBusy(
                f"another server (process {holder}) writes to {database.name}: stop it first, or use its address"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the lease back."""
        os.close(self._file)
