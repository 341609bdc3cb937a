"""A shop's till: enter the price, hold the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.money import Rupiah
from terminals.roles.panel import Button, Entry, amount_of, nothing_here, refused
from terminals.screen.board import Board, Tone
from terminals.screen.showing import board_of

if TYPE_CHECKING:
    from card.transport import Transport
    from terminals.terminal import Terminal

_NOTHING = Rupiah(0)


class Merchant:
    """Implements `Panel`: nothing is taken before a price was entered, and a price is taken once."""

    needs_shift = True

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._price = _NOTHING

    @property
    def buttons(self) -> tuple[Button, ...]:
        """Enter a price, or take it back."""
        return (Button("sale", "enter-price", "1", Entry.AMOUNT), Button("cancel", "cancel", "Escape"))

    def idle(self) -> Board:
        """The price that the next card pays, or the wish for one."""
        if self._price:
            return Board(Tone.IDLE, "hold-card", amount=self._price)
        return Board(Tone.IDLE, "enter-price")

    def press(self, action: str, value: str) -> Board:
        """Enter or cancel a price; raises InputWrong, NotSold."""
        if action not in {"sale", "cancel"}:
            raise nothing_here(action)
        self._price = amount_of(value) if action == "sale" else _NOTHING
        return self.idle()

    def card(self, card: Transport) -> Board:
        """Take the price; it stays where the card has to come again."""
        if not self._price:
            return refused("no-price")
        board = board_of(self._terminal.sale(card, self._price), Rupiah(0))
        if board.tone is Tone.GREEN:
            self._price = _NOTHING
        return board
