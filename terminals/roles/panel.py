"""What every role offers: buttons, and what happens when a card or a finger comes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from keys.money import Rupiah
from terminals.errors import InputWrong, NotSold
from terminals.screen.board import HOLD_RED_MS, Board, Sound, Tone, hinted

if TYPE_CHECKING:
    from card.transport import Transport

AMOUNT_MAX: Final = 20_000_000
_DIGITS_MAX: Final = 12
"""Noughts in front and all: Python reads no number of thousands of digits."""


class Entry(StrEnum):
    """What a button asks for before it acts."""

    NOTHING = "nothing"
    AMOUNT = "amount"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Button:
    """A button: `action` goes to `press`, `word` is the key of its text, `key` its place on a keyboard; rupiah where it has an amount."""

    action: str
    word: str
    key: str
    entry: Entry = Entry.NOTHING
    amount: Rupiah | None = None


class Panel(Protocol):
    """One role of a terminal."""

    @property
    def needs_shift(self) -> bool:
        """True where nothing is taken before somebody has opened a shift."""

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What can be pressed now."""

    def idle(self) -> Board:
        """What is shown while nobody is there."""

    def card(self, card: Transport) -> Board:
        """A card was held to the reader. Never raises for what a card or a person does."""

    def press(self, action: str, value: str) -> Board:
        """A button was pressed; raises InputWrong, NotSold."""


def amount_of(value: str) -> Rupiah:
    """Whole rupiah from what a person typed, thousands' dots and all; raises InputWrong."""
    digits = value.strip().removeprefix("Rp").replace(".", "").replace(" ", "")
    if (
        not digits.isascii()
        or not digits.isdigit()
        or len(digits) > _DIGITS_MAX
        or not 0 < int(digits) <= AMOUNT_MAX
    ):
        raise InputWrong(
            f"an amount is whole rupiah from 1 to {AMOUNT_MAX}: enter it again",
            word="amount-wrong",
            most=f"{AMOUNT_MAX:,}".replace(",", "."),
        )
    return Rupiah(int(digits))


def nothing_here(action: str) -> NotSold:
    """The error of a button that this role does not have."""
    return NotSold(f"this terminal has no button {action[:40]!r}: use one that is shown", word="no-button")


def refused(word: str) -> Board:
    """A red board for what a person did, without a card."""
    return Board(Tone.RED, word, Sound.STOP, notes=hinted(word), hold_ms=HOLD_RED_MS)
