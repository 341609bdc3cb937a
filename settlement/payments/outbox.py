"""The folder from which a bank's files are fetched: a file appears there whole, once, and only after its release.

A file is laid beside its place under a hidden name first, and takes its own name after its release is recorded. The hidden one is
still there only where it never went out; where neither is there, it was fetched, and is not written again.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from settlement.errors import OutputDiffers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settlement.kept import PaymentFile


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, made where it is not there, against another process; its names are durable at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    directory = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
        os.fsync(directory)
    finally:
        os.close(directory)


def lay(folder: Path, file: PaymentFile) -> None:
    """Lay a file under its hidden name, durable. Raises OutputDiffers where another lies in its place."""
    _check_same(folder / file.name, file)
    with _draft(folder, file).open("wb") as out:
        out.write(file.content)
        out.flush()
        os.fsync(out.fileno())


def put_out(folder: Path, file: PaymentFile) -> bool:
    """Give a laid file of a recorded release its name; False where nothing is laid, since it went out before.

    Raises OutputDiffers where either place holds another file.
    """
    draft, path = _draft(folder, file), folder / file.name
    if not draft.exists():
        _check_same(path, file)
        return False
    if draft.read_bytes() != file.content:
        raise OutputDiffers(f"{draft.name} is not the file that was kept: delete it, and look who wrote it")
    draft.replace(path)
    return True


def _check_same(path: Path, file: PaymentFile) -> None:
    if path.exists() and path.read_bytes() != file.content:
        raise OutputDiffers(
            f"{file.name} on disk is not the file that was kept: no bank may get it; move it away, look who wrote it"
        )


def _draft(folder: Path, file: PaymentFile) -> Path:
    return folder / f".{file.name}.part"
