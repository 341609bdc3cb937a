"""A folder of files as banks sent them: which are statements, in which order they are taken in, each read or refused.

Files are taken in order of their statements' opening dates, so that a folder of several days forms one chain whatever the files
are called.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from settlement.errors import StatementRefused, StatementTooLarge
from settlement.payments.pain002 import is_report
from settlement.statements.model import FILE_BYTES_MAX, NOTHING, Reading, Statement
from settlement.statements.reading import Reader, digest

if TYPE_CHECKING:
    from pathlib import Path


FILES_MAX = 1_000
INBOX_BYTES_MAX = 1_000_000_000
"""All files of a folder are looked at together, since their order is found in them."""
Read = Callable[[bytes], Reading]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file as it came: what it says, or why it was refused."""

    name: str
    sha256: str
    size: int
    content: bytes
    reading: Reading = NOTHING
    refused: StatementRefused | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Its statements; none where it was refused."""
        return self.reading.statements

    @property
    def order(self) -> tuple[date, date, str]:
        """By opening date; refused files last."""
        if not self.statements:
            return date.max, date.max, self.name
        first = self.statements[0]
        return first.opening_date, first.closing_date, self.name


def incoming(folder: Path, reader: Read | None = None) -> list[Incoming]:
    """The files of a folder in the order to take them in; none where there is no such folder.

    Without a reader no mapping, schema or dialect is known. Raises as `files_in` does.
    """
    read = reader or Reader().read
    return sorted((file_of(path, read) for path in files_in(folder)[0]), key=lambda file: file.order)


def files_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The statements of a folder, and the banks' status reports on payments, by name. Hidden files and folders are left alone.

    Raises StatementTooLarge over `FILES_MAX` files or `INBOX_BYTES_MAX`.
    """
    if not folder.is_dir():
        return [], []
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    if len(paths) > FILES_MAX:
        raise StatementTooLarge(
            f"{folder.name} holds {len(paths)} files: {FILES_MAX} are allowed; move old ones away"
        )
    if (size := sum(path.stat().st_size for path in paths)) > INBOX_BYTES_MAX:
        raise StatementTooLarge(
            f"{folder.name} holds {size} bytes: {INBOX_BYTES_MAX} are allowed; move old files away"
        )
    reports = [path for path in paths if is_report(path)]
    return [path for path in paths if path not in reports], reports


def file_of(path: Path, reader: Read) -> Incoming:
    """A file on disk, read; one over the limit is named by its digest alone."""
    size = path.stat().st_size
    name = os.fsencode(path.name).decode("utf-8", "replace")  # a file system takes bytes that no text has
    if size > FILE_BYTES_MAX:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        reason = StatementTooLarge(
            f"the file has {size} bytes: {FILE_BYTES_MAX} are allowed; it stays in its folder"
        )
        return Incoming(name, sha256, size, b"", refused=reason)
    return received(name, path.read_bytes(), reader)


def received(name: str, content: bytes, reader: Read) -> Incoming:
    """A file's bytes, read."""
    try:
        return Incoming(name, digest(content), len(content), content, reader(content))
    except StatementRefused as refused:
        return Incoming(name, digest(content), len(content), content, refused=refused)
