"""A load kiosk: the balance of any card, and cash or what its holder ordered from the wallet onto it through the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, local
from keys.money import Rupiah
from terminals.errors import LoadDenied, Offline, TerminalError
from terminals.roles.panel import Button, Entry, amount_of, nothing_here, refused
from terminals.screen.board import Board, Row, Sound, Tone
from terminals.screen.showing import board_of

if TYPE_CHECKING:
    from card.transport import Transport
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

BALANCE_MS: Final = 10_000
CODE_MS: Final = 25_000
"""How long a code stays: a phone has to be found first. The next card takes its place."""
TAPS_SHOWN: Final = 5
USUAL: Final = (10_000, 20_000, 50_000, 100_000)
_NOTHING = Rupiah(0)


class Kiosk:
    """Implements `Panel`: a card shows its balance, unless an amount was entered: then it is loaded."""

    needs_shift = False

    def __init__(self, terminal: Terminal, page: str = "") -> None:
        """`page` is where phones reach the ledger's pages, such as https://kartu.example; without it no code is shown."""
        self._terminal = terminal
        self._page = page.rstrip("/")
        self._amount = _NOTHING
        self._wallet = False

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The usual amounts, another one, and back."""
        usual = (
            Button(f"load-{amount}", "load", str(place), amount=Rupiah(amount))
            for place, amount in enumerate(USUAL, 1)
        )
        other = Button("load", "other-amount", "5", Entry.AMOUNT)
        wallet = Button("wallet", "from-wallet", "6")
        return (*usual, other, wallet, Button("cancel", "cancel", "Escape"))

    def idle(self) -> Board:
        """The amount that the next card gets, or the invitation to look."""
        if self._wallet:
            return Board(Tone.IDLE, "hold-card-wallet")
        if self._amount:
            return Board(Tone.IDLE, "hold-card-load", amount=self._amount)
        return Board(Tone.IDLE, "hold-card-balance")

    def press(self, action: str, value: str) -> Board:
        """Choose an amount, or none; raises InputWrong, NotSold."""
        head, _, amount = action.partition("-")
        if head == "load":
            self._amount, self._wallet = amount_of(amount or value), False
        elif action in {"cancel", "wallet"}:
            self._amount, self._wallet = _NOTHING, action == "wallet"
        else:
            raise nothing_here(action)
        return self.idle()

    def card(self, card: Transport) -> Board:
        """Load the amount, or what was ordered, or show what is on the card."""
        if not self._amount and not self._wallet:
            return self._balance(card)
        try:
            board = board_of(self._loaded(card), _NOTHING)
        except LoadDenied:
            return self._denied()
        except Offline:
            return refused("offline")
        except TerminalError:
            return refused("not-now")
        if board.tone is not Tone.AMBER:
            self._amount, self._wallet = _NOTHING, False
        return replace(board, word="loaded") if board.tone is Tone.GREEN else board

    def _loaded(self, card: Transport) -> Outcome:
        return self._terminal.load_ordered(card) if self._wallet else self._terminal.load(card, self._amount)

    def _denied(self) -> Board:
        word = "nothing-ordered" if self._wallet else "load-denied"
        self._wallet = False
        return refused(word)

    def _balance(self, card: Transport) -> Board:
        outcome, found = self._terminal.inspect(card)
        if found is None:
            return board_of(outcome, _NOTHING)
        rows = tuple(
            Row(
                tap.kind.name.lower().replace("_", "-"),
                f"{local(UnixMs(1000 * tap.at)):%d.%m. %H:%M}",
                tap.amount,
            )
            for tap in found.records[:TAPS_SHOWN]
        )
        code = f"{self._page}/q/{self._terminal.fresh_code(found)}" if self._page else ""
        return Board(
            Tone.GREEN, "balance", Sound.ADULT, balance=outcome.balance, rows=rows, hold_ms=CODE_MS if code else BALANCE_MS,
            code=code,
        )  # fmt: skip
