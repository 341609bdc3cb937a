"""What the page is fed: the board and what stands around it, as JSON, in server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from terminals.screen.code import drawn

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from terminals.screen.board import Board
    from terminals.station import Station


def around(station: Station) -> dict[str, Any]:
    """What stands around a board: what waits, the line, warnings, the shift, the buttons."""
    shift = station.terminal.outbox.shift()
    line = station.pump.line
    return {
        "terminal": station.terminal.number,
        "waiting": station.terminal.outbox.waiting,
        "alone": line.failures > 0,
        "warnings": list(station.terminal.warnings()),
        "person": shift.person if shift and shift.is_open else "",
        "taken": shift.taken if shift and shift.is_open else None,
        "buttons": [
            {"action": one.action, "word": one.word, "key": one.key, "entry": one.entry.value, "amount": one.amount}
            for one in station.buttons
        ],
    }  # fmt: skip


def told(board: Board) -> dict[str, Any]:
    """A board as JSON holds it."""
    size, path = drawn(board.code) if board.code else (0, "")
    return {
        "code": {"size": size, "path": path},
        "number": board.number, "tone": board.tone.value, "word": board.word, "sound": board.sound.value,
        "amount": board.amount, "balance": board.balance, "letter": board.letter, "notes": list(board.notes),
        "rows": [{"word": row.word, "text": row.text, "amount": row.amount} for row in board.rows],
    }  # fmt: skip


def events(station: Station, stop: threading.Event) -> Iterator[str]:
    """Every board, and at each beat whatever has changed around it; a comment where nothing has, to keep the line."""
    before = ""
    for board in station.boards.watch(stop):
        shown = station.boards.now if board is None else board
        now = json.dumps({"board": told(shown), "around": around(station)}, separators=(",", ":"))
        yield f"id: {shown.number}\ndata: {now}\n\n" if now != before else ": beat\n\n"
        before = now
