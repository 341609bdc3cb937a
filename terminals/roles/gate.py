"""A gate: hold the card to go in, hold it to come out; what a ride may cost, and then what it cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keys.money import Rupiah
from terminals.roles.panel import Button, nothing_here
from terminals.screen.board import Board, Row, Tone
from terminals.screen.showing import board_of

if TYPE_CHECKING:
    from card.transport import Transport
    from terminals.fares import Place
    from terminals.tap import Outcome
    from terminals.terminal import Terminal


class Gate:
    """Implements `Panel`: every card is the beginning of a ride here, or with `exits` its end; staff turn the gate round."""

    needs_shift = False

    def __init__(self, terminal: Terminal, place: Place, *, exits: bool = False) -> None:
        self._terminal = terminal
        self._place = place
        self._exits = exits

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The other direction."""
        return (Button("turn", "turn-in" if self._exits else "turn-out", "1"),)

    def idle(self) -> Board:
        """Which way this gate lets people, and where it is."""
        word = "hold-card-out" if self._exits else "hold-card-in"
        return Board(Tone.IDLE, word, rows=(Row("route", f"{self._place.route} · {self._place.stop}"),))

    def press(self, action: str, value: str) -> Board:
        """Turn the gate round; raises NotSold."""
        del value
        if action != "turn":
            raise nothing_here(action)
        self._exits = not self._exits
        return self.idle()

    def card(self, card: Transport) -> Board:
        """Let a rider in, or out at the ride's price."""
        tap = self._terminal.tap_out if self._exits else self._terminal.tap_in
        outcome = tap(card, self._place)
        board = board_of(outcome, self._terminal.full_fare(self._place))
        if outcome.most is None:  # refused, or a torn tap of before that turned out paid
            return board
        if self._exits:
            return replace(board, word="gone-out", rows=_left(outcome))
        entered = Row("fare-at-most", amount=outcome.most)
        before = (Row("missing-tap-out", amount=outcome.amount),) if outcome.amount else ()
        return replace(board, word="gone-in", amount=outcome.amount or None, rows=(entered, *before))


def _left(outcome: Outcome) -> tuple[Row, ...]:
    """Why so much, where nobody tapped in; else what of the provisional maximum is given back."""
    if "missing-tap-in" in outcome.rules:
        return (Row("missing-tap-in", amount=outcome.amount),)
    given_back = (outcome.most or 0) - outcome.amount
    return (Row("given-back", amount=Rupiah(given_back)),) if given_back > 0 else ()
