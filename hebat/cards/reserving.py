"""Card numbers that a chip is about to bear: written down before the chip is, so that no two chips ever bear one number.

A chip that was torn on the way gets the number that was kept for it; a number is kept until the ledger knows its card.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hebat.errors import InputRefused
from keys.sealedfile import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.folder import Folder


@contextmanager
def alone(folder: Folder) -> Iterator[None]:
    """Nobody else makes a card of this city meanwhile: whoever comes second waits, for as long as one card takes."""
    with (folder.root / "card-numbers.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Reserved:
    """The numbers that are kept for chips of a city, by UID; to be read and changed `alone`."""

    def __init__(self, folder: Folder) -> None:
        """Raises InputRefused where the file is not what was written."""
        self._path: Path = folder.root / "card-numbers.json"
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
            self._numbers = {str(uid): int(number) for uid, number in found.items()}
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise InputRefused(
                f"{self._path} does not say which card numbers are kept: restore it from backup"
            ) from None

    def of(self, uid: bytes) -> int | None:
        """The number that is kept for a chip."""
        return self._numbers.get(uid.hex())

    def others(self, uid: bytes | None) -> set[int]:
        """The numbers that are kept for other chips."""
        mine = "" if uid is None else uid.hex()
        return {number for kept, number in self._numbers.items() if kept != mine}

    def keep(self, uid: bytes, number: int) -> None:
        """Keep a number for a chip; durable when this returns."""
        if self._numbers.get(uid.hex()) != number:
            self._write(self._numbers | {uid.hex(): number})

    def done(self, uid: bytes) -> None:
        """The ledger knows the card: its number is its own."""
        if uid.hex() in self._numbers:
            self._write({kept: number for kept, number in self._numbers.items() if kept != uid.hex()})

    def _write(self, numbers: dict[str, int]) -> None:
        write_atomically(self._path, json.dumps(numbers, indent=1, sort_keys=True).encode())
        self._numbers = numbers
