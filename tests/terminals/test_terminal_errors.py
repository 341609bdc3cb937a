"""The table of docs/terminal.md and the code: word, colour, sound and log entry of all that a terminal can tell."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from structlog.testing import capture_logs

from keys.money import Rupiah
from terminals.pump import Pump
from terminals.roles.panel import refused
from terminals.roles.validator import Validator
from terminals.screen.board import HINTS, Board, Sound, Tone
from terminals.screen.showing import board_of
from terminals.screen.words import LANGUAGES, words
from terminals.station import Station
from terminals.tap import Colour, Outcome
from tests.terminals.depot import PLACE
from tests.terminals.test_terminal_screen import ROOT, _keys_of

if TYPE_CHECKING:
    from card.transport import Transport
    from terminals.terminal import Terminal
    from tests.terminals.depot import Clock

SOUNDS: Final = {
    "one tone; two for a concession": Sound.ADULT,
    "one tone": Sound.ADULT,
    "rising pair": Sound.AGAIN,
    "low tone": Sound.STOP,
}


@dataclass(frozen=True)
class Line:
    """A word of the table."""

    tone: Tone
    sound: Sound
    events: tuple[str, ...]
    action: str


def table() -> dict[str, Line]:
    """The table of errors by word."""
    found = dict[str, Line]()
    for row in ROOT.joinpath("docs/terminal.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) == 8 and cells[2] in set(Tone):
            events = tuple(re.findall(r"`([^`]+)`", cells[4]))
            for word in cells[1].split(", "):
                assert word not in found, word
                found[word] = Line(Tone(cells[2]), SOUNDS[cells[3]], events, cells[6])
    return found


TABLE: Final = table()


def boards_in_code() -> list[Board]:
    """The board of every literal in the code that ends a tap or a press."""
    files = [*ROOT.glob("terminals/**/*.py"), ROOT / "card/purse.py", ROOT / "ledger/relay/ends.py"]
    calls = [
        node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]  # fmt: skip
    return [board for call in calls for word in sorted(_keys_of(call)) for board in _board(call, word)]


def _board(call: ast.Call, word: str) -> list[Board]:
    name, given = ast.unparse(call.func), [ast.unparse(one) for one in call.args]
    if name == "refused":
        return [refused(word)]
    if name in {"FareRefused", "CardRefused"}:
        return [board_of(Outcome(Colour.RED, word), Rupiah(0))]
    if name == "Outcome" and given[0].startswith("Colour."):
        return [board_of(Outcome(Colour[given[0].removeprefix("Colour.")], word), Rupiah(0))]
    said = re.fullmatch(r"Tone\.(\w+) Sound\.(\w+)", " ".join([*given[:1], *given[2:3]]))
    return [Board(Tone[said[1]], word, Sound[said[2]])] if said and name == "Board" else []


def test_all_that_the_code_can_refuse_is_in_the_table_with_its_colour_and_sound() -> None:
    boards = boards_in_code()
    assert {"short", "passback", "tap-again", "two-cards", "disk-full", "reader-gone"} <= {
        one.word for one in boards
    }
    assert {
        (one.word, one.tone, one.sound)
        for one in boards
        if one.word not in TABLE or (TABLE[one.word].tone, TABLE[one.word].sound) != (one.tone, one.sound)
    } == set()


def test_every_word_of_the_table_is_said_in_every_language() -> None:
    assert len(TABLE) > 30
    assert [(word, one) for word in TABLE for one in LANGUAGES if word not in words(one)] == []


def test_what_to_do_about_a_refusal_stands_below_it_in_every_language() -> None:
    assert {TABLE[word].tone for word in HINTS} == {Tone.RED}
    assert [(hint, one) for hint in HINTS.values() for one in LANGUAGES if hint not in words(one)] == []
    shown = [board for board in boards_in_code() if board.word in HINTS and board.tone is Tone.RED]
    made = [
        board for board in shown if board.word != "reader-gone"
    ]  # its board is no literal's, and shown in test_terminal_mishaps
    assert {board.word for board in made} | {"reader-gone", "refused"} == HINTS.keys()
    assert [board.word for board in made if board.notes != (HINTS[board.word],)] == []


class Telling(Validator):
    """A panel that tells what it is given."""

    board = Board(Tone.IDLE, "hold-card")

    def card(self, card: Transport) -> Board:
        del card
        return self.board


def test_every_row_is_an_event_in_the_log_of_the_name_that_stands_there(bus: Terminal, clock: Clock) -> None:
    structlog.reset_defaults()  # a fixture of the whole session may have quietened it
    panel = Telling(bus, PLACE)
    station = Station(bus, panel, Pump(bus, clock.now), clock)
    sources = (
        ROOT.joinpath("terminals", name).read_text(encoding="utf-8") for name in ("station.py", "tap.py")
    )
    named = {event for source in sources for event in re.findall(r"_log\.\w+\(\"([^\"]+)\"", source)}
    for word, line in TABLE.items():
        panel.board = Board(line.tone, word, line.sound, detail="why", sequence=7)
        with capture_logs() as told:
            station.tapped(None)  # type: ignore[arg-type]  # nothing is asked of it
        first, *beside = line.events
        if first == "reader gone":  # no card ends so: the readers' own event
            beside.append(first)
        else:
            assert [(one["event"], one["word"], one["reason"], one["record"]) for one in told] == [
                (first, word, "why", 7)
            ]
        assert set(beside) <= named, word
    station.close()
