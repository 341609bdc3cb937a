"""A shop's till: enter the price, hold the card; take the last sale back, or give one back by its receipt and a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from keys.money import Rupiah
from terminals.errors import InputWrong, LoadDenied, Offline
from terminals.refunds import Sale, sale_of
from terminals.roles.panel import Button, Entry, amount_of, nothing_here, refused
from terminals.screen.board import Board, Tone
from terminals.screen.showing import board_of

if TYPE_CHECKING:
    from card.transport import Transport
    from terminals.terminal import Terminal

_NOTHING = Rupiah(0)
VOID: Final = "void"
REASONS: Final = ("goods-returned", "wrong-amount", "not-delivered")
"""Why a sale is given back: what the books keep, and a button each."""


class Merchant:
    """Implements `Panel`: nothing is taken before a price was entered, and a price is taken once; a sale is given back once."""

    needs_shift = True

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._price = _NOTHING
        self._sale: Sale | None = None
        self._reason = ""

    @property
    def buttons(self) -> tuple[Button, ...]:
        """A price, the last sale back, a receipt's sale back; a reason, where one is wanted; and never mind."""
        cancel = Button("cancel", "cancel", "Escape")
        if self._sale is not None and not self._reason:
            return (*(Button(one, one, str(place)) for place, one in enumerate(REASONS, 1)), cancel)
        return (
            Button("sale", "enter-price", "1", Entry.AMOUNT),
            Button("void", "void-last", "2"),
            Button("refund", "refund-receipt", "3", Entry.TEXT),
            cancel,
        )

    def idle(self) -> Board:
        """What the next card pays or gets back, or the wish for a price or a reason."""
        if self._sale is not None and not self._reason:
            return Board(Tone.IDLE, "choose-reason")
        if self._sale is not None:
            return Board(Tone.IDLE, "hold-card-refund", amount=self._sale.amount or None)
        if self._price:
            return Board(Tone.IDLE, "hold-card", amount=self._price)
        return Board(Tone.IDLE, "enter-price")

    def press(self, action: str, value: str) -> Board:
        """Enter, choose or cancel; raises InputWrong, NotSold."""
        if action not in {button.action for button in self.buttons}:
            raise nothing_here(action)
        if action in REASONS:
            self._reason = action
            return self.idle()
        wanted = self._wanted(action, value)
        self._price, self._sale, self._reason = wanted
        return self.idle()

    def _wanted(self, action: str, value: str) -> tuple[Rupiah, Sale | None, str]:
        """Price, sale and reason after a button."""
        if action == "void":
            last = self._terminal.outbox.last_sale(self._terminal.number)
            if last is None:
                raise InputWrong("there is no sale of this shift to take back", word="no-sale-to-void")
            return _NOTHING, last, VOID
        if action == "refund":
            return _NOTHING, sale_of(value), ""
        return (amount_of(value) if action == "sale" else _NOTHING), None, ""

    def card(self, card: Transport) -> Board:
        """Take the price, or give a sale back; either stays where the card has to come again."""
        if self._sale is not None:
            return self._given_back(card, self._sale)
        if not self._price:
            return refused("no-price")
        board = board_of(self._terminal.sale(card, self._price), Rupiah(0))
        if board.tone is Tone.GREEN:
            self._price = _NOTHING
        return board

    def _given_back(self, card: Transport, sale: Sale) -> Board:
        if not self._reason:
            return refused("choose-reason")
        try:
            board = board_of(self._terminal.refund(card, sale, self._reason), Rupiah(0))
        except LoadDenied:
            self._sale = None
            return refused("refund-denied")
        except Offline:
            return refused("offline")
        if board.tone is not Tone.AMBER:
            self._sale = None
        return replace(board, word="refunded") if board.tone is Tone.GREEN else board
