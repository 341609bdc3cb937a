"""A validator, fixed in a bus: hold the card, and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terminals.roles.panel import nothing_here
from terminals.screen.board import Board, Row, Tone
from terminals.screen.showing import board_of

if TYPE_CHECKING:
    from card.transport import Transport
    from terminals.fares import Place
    from terminals.roles.panel import Button
    from terminals.terminal import Terminal


class Validator:
    """Implements `Panel`: every card is a fare at this place."""

    needs_shift = False

    def __init__(self, terminal: Terminal, place: Place) -> None:
        self._terminal = terminal
        self._place = place

    @property
    def buttons(self) -> tuple[Button, ...]:
        """None: a validator is touched by cards only."""
        return ()

    def idle(self) -> Board:
        """The fare, and where this is."""
        return Board(
            Tone.IDLE,
            "hold-card",
            amount=self._terminal.full_fare(self._place),
            rows=(Row("route", f"{self._place.route} · {self._place.stop}"),),
        )

    def card(self, card: Transport) -> Board:
        """Write what its holder ordered from the wallet, where something waits; then take the fare, whatever came of that."""
        self._terminal.write_waiting(card)
        return board_of(self._terminal.fare(card, self._place), self._terminal.full_fare(self._place))

    def press(self, action: str, value: str) -> Board:
        """There is nothing to press; raises NotSold."""
        del value
        raise nothing_here(action)
