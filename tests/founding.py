"""Cities for tests: founded as `hebat.founding` founds them, under a passphrase that costs next to nothing to try (what it costs elsewhere: tests/system/test_keys_costs.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hebat.founding import found_over
from keys.filevault import FileVault

if TYPE_CHECKING:
    from hebat.folder import Folder
    from keys.ceremony import CeremonyRecord
    from keys.clock import Clock

COST: Final = 16
"""scrypt's N: the vault is opened by every command and every city that a test starts, and drawn passphrases need no cost at all."""


def found(folder: Folder, clock: Clock, configuration: str = "demo") -> list[CeremonyRecord]:
    """A city in a new folder; the ceremony's records."""
    folder.make()
    return found_over(
        folder, FileVault.create(folder.vault, folder.passphrase(new=True), COST), clock, configuration
    )
