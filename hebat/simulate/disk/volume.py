"""A disk that forgets: what was written and not synced may be lost, whole or by sectors, when the power goes.

Every write goes into the file at once, as into the system's cache, and stays `pending` until a sync. A killed process loses nothing of it; a
power cut loses what the dice say of what is pending, each write by itself, sector by sector.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

SECTOR: Final = 512
_KEPT, _LOST, _TORN = 5, 4, 1
"""Of ten writes that were not synced: how many a power cut leaves whole, loses whole, and tears."""


class Trouble(Enum):
    """What a volume can be told to do at one of its next operations."""

    DIE = auto()
    """The machine stops: nothing from here on reaches the disk."""
    FAIL_WRITE = auto()
    FAIL_SYNC = auto()
    FULL = auto()
    SLOW = auto()


class Said(Enum):
    """What the volume says to an operation."""

    DONE = auto()
    FAILED = auto()
    FULL = auto()


@dataclass(slots=True)
class Write:
    """A write that no sync covers yet; `data` None: the file was cut or made longer to `offset`."""

    offset: int
    data: bytes | None


@dataclass(slots=True)
class Content:
    """A file as the plate holds it, and what the cache holds besides."""

    durable: bytearray
    pending: list[Write] = field(default_factory=list)

    def sync(self) -> None:
        """Everything is on the plate."""
        for one in self.pending:
            apply(self.durable, one)
        self.pending.clear()


def apply(image: bytearray, write: Write) -> None:
    """Make a write part of an image."""
    if write.data is None:
        del image[write.offset :]
        image.extend(bytes(write.offset - len(image)))
        return
    end = write.offset + len(write.data)
    image.extend(bytes(max(0, end - len(image))))
    image[write.offset : end] = write.data


class Volume:
    """The disk of one machine: the files below a folder that SQLite opens."""

    def __init__(self, folder: Path, slow: Callable[[], object] = lambda: None) -> None:
        self.folder = str(folder)
        self.dead = False
        self.files: dict[str, Content] = {}
        self.counts: Counter[str] = Counter()
        self.operations = 0
        self._slow = slow
        self._armed: list[tuple[int, Trouble]] = []

    def arm(self, trouble: Trouble, after: int) -> None:
        """Let something go wrong at the n-th operation from now (1 is the next; one of its kind, for a write or a sync)."""
        self._armed.append((self.operations + after, trouble))

    def disarm(self) -> None:
        """Nothing goes wrong by itself any more."""
        self._armed.clear()

    def _due(self, *, sync: bool) -> Trouble | None:
        """What goes wrong now."""
        self.operations += 1
        for one in self._armed:
            at, trouble = one
            fits = trouble is Trouble.DIE or (trouble in {Trouble.FAIL_SYNC, Trouble.SLOW}) is sync
            if self.operations >= at and fits:
                self._armed.remove(one)
                self.counts[trouble.name] += 1
                return trouble
        return None

    def _begun(self, *, sync: bool) -> Trouble | None:
        """What strikes an operation: DIE where the machine is dead, or dies of it."""
        trouble = Trouble.DIE if self.dead else self._due(sync=sync)
        self.dead |= trouble is Trouble.DIE
        return trouble

    def write(self, path: str, offset: int, data: bytes | None) -> Said:
        """Whether a write (None: a cut) may be done; noted as pending then."""
        trouble = self._begun(sync=False)
        if trouble in {Trouble.DIE, Trouble.FAIL_WRITE}:
            return Said.FAILED
        if trouble is Trouble.FULL:
            return Said.FULL
        self.files[path].pending.append(Write(offset, data))
        return Said.DONE

    def sync(self, path: str) -> Said:
        """Whether a sync is done: what is pending is on the plate then."""
        trouble = self._begun(sync=True)
        if trouble in {Trouble.DIE, Trouble.FAIL_SYNC}:
            return Said.FAILED
        if trouble is Trouble.SLOW:
            self._slow()
        self.files[path].sync()
        return Said.DONE

    def delete(self, path: str) -> Said:
        """Whether a file may be deleted; a deletion is durable at once."""
        if self.dead:
            return Said.FAILED
        self.files.pop(path, None)
        return Said.DONE

    def power_cut(self, dice: Random) -> dict[str, bytes]:
        """What each file holds once the machine is on again."""
        for content in self.files.values():
            for one in content.pending:
                self._survives(content.durable, one, dice)
            content.pending.clear()
        self.dead = False
        self.disarm()
        return {path: bytes(content.durable) for path, content in self.files.items()}

    def restart(self) -> None:
        """The process is gone, the machine is not: what was written is there."""
        self.dead = False
        self.disarm()

    def _survives(self, image: bytearray, write: Write, dice: Random) -> None:
        fate = dice.choices(("kept", "lost", "torn"), (_KEPT, _LOST, _TORN))[0]
        if fate == "kept":
            apply(image, write)
            return
        self.counts[f"WRITE_{fate.upper()}"] += 1
        if fate == "torn" and write.data is not None:
            for at in range(0, len(write.data), SECTOR):
                if dice.random() < 0.5:  # noqa: PLR2004  a coin
                    apply(image, Write(write.offset + at, write.data[at : at + SECTOR]))
