"""The screen in a console, for depots and SSH: the same boards, words and buttons, drawn by Textual."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from textual.app import App
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Digits, Input, Label, Static

from terminals.errors import TerminalError
from terminals.roles.panel import Entry
from terminals.screen.words import LANGUAGES, sentence, words

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from keys.money import Rupiah
    from terminals.roles.panel import Button
    from terminals.screen.board import Board
    from terminals.station import Station

SHAPES: Final = {"idle": "( ((", "green": "✓", "amber": "△ !", "red": "✕ ✕ ✕"}
LANGUAGE_KEY: Final = "l"
_KEYS: Final = {"enter": "Enter", "escape": "Escape", "f12": "F12"}


def rupiah(amount: Rupiah | None) -> str:
    """Rupiah as people write it; "" for none."""
    return "" if amount is None else f"Rp{amount:,}".replace(",", ".")


class Asked(ModalScreen[str]):
    """Asks for a name or an amount; Escape gives up."""

    BINDINGS = [("escape", "give_up", "Esc")]  # noqa: RUF012  as Textual reads it

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """A question and a line to write in."""
        with Vertical(id="asked"):
            yield Label(self._question)
            yield Input(id="value", max_length=40)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: that is the answer."""
        self.dismiss(event.value)

    def action_give_up(self) -> None:
        """Escape: no answer."""
        self.dismiss("")


class Console(App[None]):
    """The terminal's board; keys are those of the buttons, L changes the language, Ctrl-Q ends."""

    CSS = """
    Screen { align: center middle; background: #0b1f33; color: white; }
    Screen.green { background: #00632b; } Screen.amber { background: #ffb400; color: black; } Screen.red { background: #a4001d; }
    #middle { width: 100%; height: 1fr; align: center middle; }
    #middle * { width: 100%; height: auto; text-align: center; text-style: bold; }
    #amount { margin-bottom: 1; }
    #around, #buttons { width: 100%; height: auto; padding: 0 1; }
    #asked { width: 50; height: auto; border: round white; padding: 1 2; background: #0b1f33; }
    Asked { background: black 60%; align: center middle; }
    """

    def __init__(self, station: Station) -> None:
        super().__init__()
        self._station = station
        self._language = LANGUAGES[0]
        self._ended = threading.Event()
        self.shown = station.boards.now

    def compose(self) -> ComposeResult:
        """What stands around, the board, the buttons."""
        yield Static(id="around", markup=False)
        with Vertical(id="middle"):
            yield Static(id="board", markup=False)
            yield Digits(id="amount")
            yield Static(id="below", markup=False)
        yield Static(id="buttons", markup=False)

    def on_mount(self) -> None:
        """Watch the boards from a thread of their own."""
        self.draw(self._station.boards.now)
        self.run_worker(self._watch, thread=True)

    def on_unmount(self) -> None:
        """Let the watching thread end."""
        self._ended.set()

    def _watch(self) -> None:
        for board in self._station.boards.watch(self._ended, beat_s=0.2):
            if board is not None and not self._ended.is_set():
                self.call_from_thread(self.draw, board)

    def _word(self, key: str) -> str:
        return words(self._language).get(key, key)

    def draw(self, board: Board) -> None:
        """Draw a board and what stands around it."""
        self.shown = board
        self.screen_stack[0].set_classes(board.tone.value)
        left = f"{self._word('balance-left')} {rupiah(board.balance)}" if board.balance is not None else ""
        rows = (f"{self._word(row.word)}   {row.text}   {rupiah(row.amount)}" for row in board.rows)
        notes = " · ".join(map(self._word, board.notes))
        lines = [left, f"[ {board.letter} ]" if board.letter else "", notes, *rows]
        self.query_one("#board", Static).update(f"{SHAPES[board.tone.value]}\n\n{self._word(board.word)}\n")
        amount = self.query_one("#amount", Digits)
        amount.update(rupiah(board.amount))
        amount.display = board.amount is not None
        self.query_one("#below", Static).update("\n\n".join(line for line in lines if line.strip()))
        self.query_one("#around", Static).update(self._around())
        buttons = (
            f"{one.key}: {self._word(one.word)} {rupiah(one.amount)}".strip() for one in self._station.buttons
        )
        self.query_one("#buttons", Static).update("   ".join((*buttons, f"L: {self._language}")))

    def _around(self) -> str:
        station, waiting = self._station, self._station.terminal.outbox.waiting
        line = self._word("working-alone" if station.pump.line.failures else "online")
        warned = [f"! {self._word(one)}" for one in station.terminal.warnings()]
        shift = station.terminal.outbox.shift()
        open_ = (
            [f"{shift.person} · {self._word('taken')} {rupiah(shift.taken)}"]
            if shift and shift.is_open
            else []
        )
        parts = [f"No. {station.terminal.number}", line, f"{waiting} {self._word('waiting')}"]
        return "   ".join([*parts, *open_, *warned])

    def on_key(self, event: events.Key) -> None:
        """A button's key, or L for the next language."""
        if event.key == LANGUAGE_KEY:
            place = LANGUAGES.index(self._language) + 1
            self._language = LANGUAGES[place % len(LANGUAGES)]
            self.draw(self.shown)
            return
        wanted = _KEYS.get(event.key, event.key)
        for one in self._station.buttons:
            if one.key == wanted and len(self.screen_stack) == 1:
                event.stop()
                self._pressed(one)

    def _pressed(self, one: Button) -> None:
        if one.entry is Entry.NOTHING:
            self._press(one.action, "")
            return
        question = self._word("your-name" if one.entry is Entry.TEXT else one.word)
        self.push_screen(Asked(question), lambda value: self._press(one.action, value) if value else None)

    def _press(self, action: str, value: str) -> None:
        def act() -> None:
            try:
                self._station.press(action, value)
            except TerminalError as error:
                self.call_from_thread(self.notify, sentence(self._language, error), severity="error")

        self.run_worker(act, thread=True)
