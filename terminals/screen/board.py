"""The board: what the screen shows now, and who watches it. Words are keys here; a page or a console puts them into a language."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.money import Rupiah

HOLD_MS: Final = 1_500
"""How long an outcome stays before the board goes back to waiting."""
HOLD_RED_MS: Final = 4_000
"""A refusal is read, not glanced at."""
WATCHERS_MAX: Final = 8
_BEHIND_MAX: Final = 16


HINTS: Final = {
    "blocked": "ask-counter", "expired": "ask-counter", "foreign": "ask-counter", "unreadable": "ask-counter",
    "refused": "ask-counter", "short": "load-card", "offline-too-long": "connect-device", "offline-limit": "connect-device",
    "outbox-full": "connect-device", "clock-wrong": "set-clock", "reader-gone": "plug-reader", "disk-full": "make-room",
}  # fmt: skip
"""What to do about a refusal, in a few words below it: keys of words."""


class Tone(StrEnum):
    """The colour of a board; each has a shape of its own, for eyes that see no colours."""

    IDLE = "idle"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Sound(StrEnum):
    """What is heard: one tone for an adult, two for a concession, a low one for stop, a rising pair for tap again."""

    NONE = "none"
    ADULT = "adult"
    CONCESSION = "concession"
    AGAIN = "again"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list on the screen: a word's key, text that is no word (a time, a place), rupiah."""

    word: str
    text: str = ""
    amount: Rupiah | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One picture: `word` is the key of its headline, `letter` the rider class, amounts whole rupiah (None: not shown).

    `sequence` is the record that it tells of (0: none), `number` its own place among all boards of this terminal, `code` an address for a phone to scan.
    """

    tone: Tone
    word: str
    sound: Sound = Sound.NONE
    amount: Rupiah | None = None
    balance: Rupiah | None = None
    letter: str = ""
    notes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    hold_ms: int = 0
    sequence: int = 0
    number: int = 0
    code: str = ""
    detail: str = ""
    """Why, in English, for the log: no screen shows it."""


def hinted(word: str) -> tuple[str, ...]:
    """What stands below a refusal; nothing where its own word says it."""
    return (HINTS[word],) if word in HINTS else ()


@dataclass(slots=True)
class Boards:
    """The boards of one terminal, in order; watchers get each, and one that reads too slowly gets the newest."""

    now: Board
    _watchers: list[Queue[Board]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def show(self, board: Board) -> Board:
        """Show a board to everybody; it gets the next number."""
        with self._lock:
            self.now = replace(board, number=self.now.number + 1)
            for watcher in self._watchers:
                _put(watcher, self.now)
            return self.now

    def watch(self, stop: threading.Event, beat_s: float = 1.0) -> Iterator[Board | None]:
        """The board as it is, then every new one; None at each beat without one. Ends when `stop` is set."""
        mine: Queue[Board] = Queue(_BEHIND_MAX)
        with self._lock:
            if len(self._watchers) >= WATCHERS_MAX:
                self._watchers.pop(0)
            self._watchers.append(mine)
            first = self.now
        try:
            yield first
            while not stop.is_set():
                try:
                    yield mine.get(timeout=beat_s)
                except Empty:
                    yield None
        finally:
            with self._lock:
                if mine in self._watchers:
                    self._watchers.remove(mine)


def _put(watcher: Queue[Board], board: Board) -> None:
    try:
        watcher.put_nowait(board)
    except Full:
        while not watcher.empty():
            watcher.get_nowait()
        watcher.put_nowait(board)
