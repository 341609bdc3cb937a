"""A disk that fails when a test says so: `disk.c` put before the C library of a nursery, and how its processes arm it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).with_name("disk.c")


class Fate(IntEnum):
    """What happens to an operation."""

    NOTHING = 0
    DIE_BEFORE = 1
    DIE_INSIDE = 2
    DIE_AFTER = 3
    FAIL_ONCE = 4
    FAIL_ON = 5


class Kind(IntFlag):
    """Operations on the ledger's files."""

    WRITES = 1
    SYNCS = 2


def compiled(folder: Path) -> Path:
    """The library, made from its source."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed: it makes the disk that fails")
    library = folder / "disk.so"
    subprocess.run(
        [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True
    )
    return library


def arm(fate: Fate, kinds: Kind = Kind.WRITES | Kind.SYNCS, at: int = 1, error: int = 0) -> None:
    """Set what happens to the n-th operation from now on; for a process that has the library."""
    ctypes.CDLL(None).disk_arm(int(fate), int(kinds), ctypes.c_long(at), error)


def seen() -> int:
    """How many operations there were since."""
    return int(ctypes.CDLL(None).disk_seen())


def mirror(folder: str) -> None:
    """Keep what each sync made durable in a folder."""
    ctypes.CDLL(None).disk_mirror(folder.encode())
