"""A terminal at work: readers, role, shift, line and screen, each in its place. Never raises for what happens in front of it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from card.errors import CardError
from keys.errors import KeysError
from terminals.errors import NotSold, OutboxFull, TerminalError
from terminals.roles.panel import Button, Entry, refused
from terminals.screen.board import HOLD_MS, HOLD_RED_MS, Board, Boards, Row, Sound, Tone, hinted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from card.readers import Presence
    from card.transport import Transport
    from keys.clock import Clock
    from terminals.pump import Pump
    from terminals.roles.panel import Panel
    from terminals.shifts import Shift
    from terminals.terminal import Terminal

OPEN_SECONDS: Final = 2.0
"""How long another program may hold the card."""
TOTALS_MS: Final = 20_000
EVENTS: Final = {Tone.GREEN: "done", Tone.AMBER: "again", Tone.RED: "refused"}
"""The log's event for a board's colour."""
_log = structlog.get_logger("terminals.station")


class ReaderCard(Protocol):
    """A card in a reader: a transport that is given back at the end."""

    @property
    def uid(self) -> bytes:
        """As anticollision gave it."""

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command, get the answer."""

    def close(self) -> None:
        """Give the reader back."""


class Readers(Protocol):
    """The readers of this machine: `card.pcsc` is one."""

    def watch(self, stop: threading.Event) -> Iterator[Presence]:
        """Every reader as it is now, then every change, until `stop` is set."""

    def wait_for_card(self, reader: str | None = None, timeout_s: float | None = None) -> ReaderCard:
        """The card in a reader; raises CardError."""


class Station:
    """One terminal's hands and face."""

    def __init__(
        self,
        terminal: Terminal,
        panel: Panel,
        pump: Pump,
        clock: Clock,
        receipts: Callable[[Board], None] | None = None,
    ) -> None:
        """`receipts` is given every board of a finished payment, in a thread of its own: paper never holds a customer up."""
        self.terminal = terminal
        self.panel = panel
        self.pump = pump
        self.boards = Boards(panel.idle())
        self._clock = clock
        self._receipts = receipts
        self._acting = threading.Lock()
        self._present: set[str] = set()
        self._hold: threading.Timer | None = None
        self._show_idle()

    # Cards

    @property
    def present(self) -> frozenset[str]:
        """The readers that hold a card now."""
        return frozenset(self._present)

    def run(self, readers: Readers, stop: threading.Event) -> None:
        """Serve every card that comes to a reader, until `stop`; without a reader the screen says so until one comes."""
        self.boards.show(
            Board(Tone.RED, "reader-gone", notes=hinted("reader-gone"))
        )  # quietly: it is there in a moment, or never was
        for change in readers.watch(stop):
            if change.atr is None:
                self._gone(change)
            else:
                self._came(readers, change.reader)

    def _gone(self, change: Presence) -> None:
        self._present.discard(change.reader)
        if not change.there:
            _log.warning("reader gone", reader=change.reader)
            self.boards.show(Board(Tone.RED, "reader-gone", Sound.STOP, notes=hinted("reader-gone")))
        elif self.boards.now.word in {"reader-gone", "two-cards"}:
            self._show_idle()

    def _came(self, readers: Readers, reader: str) -> None:
        self._present.add(reader)
        if len(self._present) > 1:
            self._show(Board(Tone.AMBER, "two-cards", Sound.AGAIN, hold_ms=HOLD_RED_MS))
            return
        try:
            card = readers.wait_for_card(reader, OPEN_SECONDS)
        except CardError as error:
            _log.info("card not opened", reason=str(error))
            self._show(Board(Tone.AMBER, "tap-again", Sound.AGAIN, hold_ms=HOLD_MS))
            return
        try:
            self.tapped(card)
        finally:
            card.close()

    def tapped(self, card: Transport) -> Board:
        """A card is in the field; what is shown for it."""
        with self._acting:
            shown = self._show(self._guarded(lambda: self._served(card)))
        if self._receipts is not None and shown.tone is Tone.GREEN and shown.sequence:
            threading.Thread(target=self._receipts, args=(shown,), name="receipt", daemon=True).start()
        return shown

    def _served(self, card: Transport) -> Board:
        shift = self.terminal.outbox.shift()
        if self.panel.needs_shift and (shift is None or not shift.is_open):
            return refused("no-shift")
        return self.panel.card(card)

    def _guarded(self, act: Callable[[], Board]) -> Board:
        """What this terminal itself cannot do is a board too, and a line in its log."""
        try:
            return act()
        except OutboxFull as error:
            _log.error("outbox full", reason=str(error))
            return refused("outbox-full")
        except (sqlite3.Error, OSError) as error:
            _log.error("outbox not written", reason=str(error))
            return refused("disk-full")
        except (TerminalError, KeysError) as error:
            _log.warning("not done", reason=str(error))
            return refused("not-now")

    # Fingers

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What can be pressed now."""
        shift = self.terminal.outbox.shift()
        if not self.panel.needs_shift:
            return self.panel.buttons
        if shift is None or not shift.is_open:
            return (Button("open-shift", "open-shift", "Enter", Entry.TEXT),)
        return (*self.panel.buttons, Button("close-shift", "close-shift", "F12"))

    def press(self, action: str, value: str = "") -> Board:
        """A button; raises InputWrong, NotSold, ShiftRefused, which say what to enter instead."""
        with self._acting:
            if action not in {button.action for button in self.buttons}:
                raise NotSold(
                    f"there is no button {action[:40]!r} now: use one that is shown", word="no-button"
                )
            if action == "open-shift":
                self.terminal.outbox.open_shift(value, self._clock.now())
                return self._show_idle()
            if action == "close-shift":
                return self._show(self._closed())
            return self._show(self.panel.press(action, value))

    def _closed(self) -> Board:
        """Close the shift, send everything, and cash up: the totals, and whether the ledger's books say the same."""
        closed = self.terminal.outbox.close_shift(self._clock.now())
        self.pump.send(ending=True)
        word, notes = self._compared(closed)
        tone = Tone.GREEN if word == "shift-agrees" else Tone.AMBER
        return Board(
            tone, word, Sound.ADULT, closed.taken, notes=notes, rows=rows_of(closed), hold_ms=TOTALS_MS
        )

    def _compared(self, closed: Shift) -> tuple[str, tuple[str, ...]]:
        """How a shift stands against the books: a word, and what is different."""
        if self.terminal.outbox.waiting:
            return "shift-closed-waiting", ()
        try:
            found = self.terminal.cash_up(closed)
        except TerminalError as error:
            _log.warning("not cashed up", reason=str(error))
            return "shift-closed", ()
        if found.agrees:
            return "shift-agrees", ()
        _log.error("shift differs", kinds=found.differs, kept=found.kept, missing=found.missing)
        return "shift-differs", found.differs

    # The board

    def _show(self, board: Board) -> Board:
        _note(board)
        shown = self.boards.show(board)
        if shown.hold_ms:
            self._end_hold()
            self._hold = threading.Timer(shown.hold_ms / 1000, self._release, (shown.number,))
            self._hold.daemon = True
            self._hold.start()
        return shown

    def _end_hold(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    def close(self) -> None:
        """Show nothing more: whatever is shown now stays."""
        with self._acting:
            self._end_hold()

    def _release(self, number: int) -> None:
        """Back to waiting, unless something newer is shown."""
        with self._acting:
            if self._hold is not None and self.boards.now.number == number:
                self._show_idle()

    def _show_idle(self) -> Board:
        shift = self.terminal.outbox.shift()
        if self.panel.needs_shift and (shift is None or not shift.is_open):
            return self.boards.show(Board(Tone.IDLE, "no-shift"))
        return self.boards.show(self.panel.idle())


def _note(board: Board) -> None:
    """What people were told is in the log too: `done`, `again` or `refused`, by the board's colour."""
    if board.tone is not Tone.IDLE:
        say = _log.info if board.tone is Tone.GREEN else _log.warning
        say(EVENTS[board.tone], word=board.word, reason=board.detail, record=board.sequence)


def rows_of(shift: Shift) -> tuple[Row, ...]:
    """A shift's sums as rows of a screen or a slip: whose it was, each kind, cash, what is still open."""
    lines = (Row(line.kind.replace("_", "-"), f"{line.count} x", line.amount) for line in shift.lines)
    return (Row("person", shift.person), *lines)


@contextmanager
def at_work(station: Station, readers: Readers) -> Iterator[Station]:
    """The station with its readers watched and its outbox sent, until the context ends."""
    stop = threading.Event()
    thread = threading.Thread(target=station.run, args=(readers, stop), name="terminal-readers", daemon=True)
    thread.start()
    station.pump.start()
    try:
        yield station
    finally:
        stop.set()
        thread.join()
        station.pump.close()
        station.close()
