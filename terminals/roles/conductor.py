"""A conductor's handheld: fares, companions, inspection, and cash where a card does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, local
from keys.money import Rupiah
from terminals.roles.panel import Button, Entry, amount_of, nothing_here
from terminals.screen.board import HOLD_MS, Board, Row, Sound, Tone
from terminals.screen.showing import LETTERS, board_of

if TYPE_CHECKING:
    from card.layout import LogRecord
    from card.transport import Transport
    from terminals.fares import Place
    from terminals.terminal import Terminal

INSPECTION_MS: Final = 8_000
TAPS_SHOWN: Final = 3


class Conductor:
    """Implements `Panel`: a card is a fare, unless a button said what the next one is."""

    needs_shift = True

    def __init__(self, terminal: Terminal, place: Place) -> None:
        self._terminal = terminal
        self._place = place
        self._next = "fare"

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What the next card is for, and cash."""
        return (
            Button("fare", "fare", "1"),
            Button("companion", "companion", "2"),
            Button("inspect", "inspect", "3"),
            Button("cash", "cash", "4", Entry.AMOUNT),
        )

    def idle(self) -> Board:
        """The fare, or what the next card is for."""
        word = "hold-card" if self._next == "fare" else f"hold-card-{self._next}"
        place = Row("route", f"{self._place.route} · {self._place.stop}")
        return Board(Tone.IDLE, word, amount=self._terminal.full_fare(self._place), rows=(place,))

    def press(self, action: str, value: str) -> Board:
        """Choose what the next card is for, or count a fare in cash; raises InputWrong, NotSold, ShiftRefused."""
        if action in {"fare", "companion", "inspect"}:
            self._next = action
            return self.idle()
        if action == "cash":
            price = amount_of(value)
            self._terminal.outbox.add_cash(price)
            return Board(Tone.GREEN, "cash-taken", Sound.ADULT, price, hold_ms=HOLD_MS)
        raise nothing_here(action)

    def card(self, card: Transport) -> Board:
        """A fare, or a look at what the card did last."""
        chosen, self._next = self._next, "fare"
        if chosen == "inspect":
            return self._inspected(card)
        outcome = self._terminal.fare(card, self._place, companion=chosen == "companion")
        return board_of(outcome, self._terminal.full_fare(self._place))

    def _inspected(self, card: Transport) -> Board:
        outcome, found = self._terminal.inspect(card)
        if found is None:
            return board_of(outcome, Rupiah(0))
        taps = found.records
        here = bool(taps) and taps[0].terminal == self._terminal.number
        concession = found.identity.concession.name.lower()
        return Board(
            Tone.GREEN if here else Tone.AMBER,
            "paid-here" if here else "not-paid-here",
            Sound.ADULT if here else Sound.AGAIN,
            balance=outcome.balance,
            letter=LETTERS.get("full" if concession == "general" else concession, ""),
            rows=tuple(map(_row, taps[:TAPS_SHOWN])),
            hold_ms=INSPECTION_MS,
        )


def _row(tap: LogRecord) -> Row:
    at = local(UnixMs(1000 * tap.at))
    return Row(tap.kind.name.lower().replace("_", "-"), f"{at:%d.%m. %H:%M} · {tap.terminal}", tap.amount)
