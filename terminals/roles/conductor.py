"""A conductor's handheld: fares, companions, inspection, and cash where a card does not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.layout import Concession
from keys.clock import UnixMs, local
from keys.money import Rupiah
from terminals.roles.panel import Button, nothing_here, refused
from terminals.screen.board import HOLD_MS, Board, Row, Sound, Tone
from terminals.screen.showing import LETTERS, board_of

if TYPE_CHECKING:
    from card.layout import LogRecord
    from card.transport import Transport
    from terminals.fares import Place
    from terminals.terminal import Terminal

INSPECTION_MS: Final = 8_000
TAPS_SHOWN: Final = 3
AGAIN: Final = "tap-again"
"""The word for a card that left too early."""


class Conductor:
    """Implements `Panel`: a card is a fare, unless a button said what the next one is."""

    needs_shift = True

    def __init__(self, terminal: Terminal, place: Place) -> None:
        self._terminal = terminal
        self._place = place
        self._next = "fare"
        self._rider = Concession.GENERAL

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What the next card is for, and cash: then whose fare, and that it was taken."""
        if self._next == "cash":
            return (
                *(
                    Button(f"class-{_name(one)}", f"class-{_name(one)}", str(place), amount=fare)
                    for place, (one, fare) in enumerate(self._terminal.cash_fares(self._place), 1)
                ),
                Button("cash-taken", "take-cash", "Enter"),
                Button("cancel", "cancel", "Escape"),
            )
        return (
            Button("fare", "fare", "1"),
            Button("companion", "companion", "2"),
            Button("inspect", "inspect", "3"),
            Button("cash", "cash", "4"),
        )

    def idle(self) -> Board:
        """The fare, or what the next card is for."""
        if self._next == "cash":
            fare, letter = self._cash_fare(), LETTERS[_class(self._rider)]
            return (
                refused("no-fare")
                if fare is None
                else Board(Tone.IDLE, "ask-cash", amount=fare, letter=letter)
            )
        word = "hold-card" if self._next == "fare" else f"hold-card-{self._next}"
        place = Row("route", f"{self._place.route} · {self._place.stop}")
        return Board(Tone.IDLE, word, amount=self._terminal.full_fare(self._place), rows=(place,))

    def press(self, action: str, value: str) -> Board:
        """Choose what the next card is for, or count a fare in cash; raises NotSold, ShiftRefused."""
        del value
        if action in {"fare", "companion", "inspect", "cash"}:
            self._next, self._rider = action, Concession.GENERAL
            return self._begun()
        if self._next != "cash":
            raise nothing_here(action)
        if action == "cancel":
            self._next = "fare"
            return self.idle()
        if action == "cash-taken":
            return self._cash_taken()
        chosen = next((one for one in Concession if action == f"class-{_name(one)}"), None)
        if chosen is None:
            raise nothing_here(action)
        self._rider = chosen
        return self.idle()

    def _begun(self) -> Board:
        board = self.idle()
        if board.tone is Tone.RED:  # no fare is known here: nothing to take
            self._next = "fare"
        return board

    def _cash_fare(self) -> Rupiah | None:
        """What the chosen class pays in cash; None where the tariff knows no fare here."""
        return dict(self._terminal.cash_fares(self._place)).get(self._rider)

    def _cash_taken(self) -> Board:
        """Count the fare of the chosen class: the amount is the tariff's of this moment, nobody's typing."""
        fare, rider = self._cash_fare(), self._rider
        self._next = "fare"
        if fare is None:
            return refused("no-fare")
        self._terminal.outbox.add_cash(fare)
        sound = Sound.ADULT if rider is Concession.GENERAL else Sound.CONCESSION
        return Board(Tone.GREEN, "cash-taken", sound, fare, letter=LETTERS[_class(rider)], hold_ms=HOLD_MS)

    def card(self, card: Transport) -> Board:
        """A fare, or a look at what the card did last; what was chosen stays where the card has to come again."""
        if self._next == "inspect":
            board = self._inspected(card)
        else:
            outcome = self._terminal.fare(card, self._place, companion=self._next == "companion")
            board = board_of(outcome, self._terminal.full_fare(self._place))
        if board.word != AGAIN:
            self._next = "fare"
        return board

    def _inspected(self, card: Transport) -> Board:
        outcome, found = self._terminal.inspect(card)
        if found is None:
            return board_of(outcome, Rupiah(0))
        taps = found.records
        here = bool(taps) and taps[0].terminal == self._terminal.number
        return Board(
            Tone.GREEN if here else Tone.AMBER,
            "paid-here" if here else "not-paid-here",
            Sound.ADULT if here else Sound.AGAIN,
            balance=outcome.balance,
            letter=LETTERS[_class(found.identity.concession)],
            rows=tuple(map(_row, taps[:TAPS_SHOWN])),
            hold_ms=INSPECTION_MS,
        )


def _name(rider: Concession) -> str:
    return rider.name.lower()


def _class(rider: Concession) -> str:
    """A rider class as the letters know it."""
    return "full" if rider is Concession.GENERAL else _name(rider)


def _row(tap: LogRecord) -> Row:
    at = local(UnixMs(1000 * tap.at))
    return Row(tap.kind.name.lower().replace("_", "-"), f"{at:%d.%m. %H:%M} · {tap.terminal}", tap.amount)
