"""Cities for tests: founded as `hebat.founding` founds them, under a passphrase that costs next to nothing to try (what it costs elsewhere: tests/system/test_keys_costs.py)."""

from __future__ import annotations

import stat
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hebat.folder import Folder
from hebat.founding import found_over
from hebat.story_clock import StoryClock
from keys.filevault import FileVault

if TYPE_CHECKING:
    from keys.ceremony import CeremonyRecord
    from keys.clock import Clock, UnixMs

COST: Final = 16
"""scrypt's N: the vault is opened by every command and every city that a test starts, and drawn passphrases need no cost at all."""


def found(folder: Folder, clock: Clock, configuration: str = "demo") -> list[CeremonyRecord]:
    """A city in a new folder; the ceremony's records."""
    folder.make()
    return found_over(
        folder, FileVault.create(folder.vault, folder.passphrase(new=True), COST), clock, configuration
    )


def copy_of_founded(folder: Folder, at: UnixMs, configuration: str) -> None:
    """The same with a ledger in a file, founded once a process and moment and then copied: all such cities have the same keys."""
    folder.make()
    for name, mode, content in _founded(at, configuration):
        path = folder.root / name
        if content is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content)
        path.chmod(mode)


@cache
def _founded(at: UnixMs, configuration: str) -> list[tuple[str, int, bytes | None]]:
    """Name, mode and content of each file; a folder has none, and stands before what lies in it."""
    with TemporaryDirectory() as place:
        root = Path(place, "city")
        found(Folder(root), StoryClock(at), configuration)
        return [
            (
                str(path.relative_to(root)),
                stat.S_IMODE(path.stat().st_mode),
                None if path.is_dir() else path.read_bytes(),
            )
            for path in sorted(root.rglob("*"))
        ]
