"""From what a tap came to, to what is shown and heard. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from terminals.screen.board import HOLD_MS, HOLD_RED_MS, Board, Sound, Tone, hinted
from terminals.tap import Colour

if TYPE_CHECKING:
    from keys.money import Rupiah
    from terminals.tap import Outcome

LETTERS: Final = {
    "full": "U", "pupil": "P", "student": "M", "elderly": "L", "veteran": "V", "disabled": "D", "child": "A",
}  # fmt: skip
"""Rider classes as one letter: umum, pelajar, mahasiswa, lansia, veteran, disabilitas, anak."""
_TONES: Final = {Colour.GREEN: Tone.GREEN, Colour.AMBER: Tone.AMBER, Colour.RED: Tone.RED}


def letter_of(rules: tuple[str, ...]) -> str:
    """The letter of the rider class that a fare's rules name; "" where they name none."""
    for rule in rules:
        head, _, who = rule.partition(":")
        if head in {"full", "concession"}:
            return LETTERS.get(who.partition("-")[0] or head, "")
    return ""


def sound_of(outcome: Outcome) -> Sound:
    """What is heard: the conductor need not look."""
    if outcome.colour is Colour.RED:
        return Sound.STOP
    if outcome.colour is Colour.AMBER:
        return Sound.AGAIN
    return Sound.CONCESSION if any(rule.startswith("concession:") for rule in outcome.rules) else Sound.ADULT


def notes_of(outcome: Outcome, low: Rupiah) -> tuple[str, ...]:
    """What stands below a board: a free transfer, a concession that has ended, a balance that is too low for the next ride; what to do about a refusal."""
    if outcome.colour is Colour.RED:
        return hinted(outcome.reason)
    notes = ["transfer"] if "transfer" in outcome.rules else []
    if any(rule.endswith("-expired") for rule in outcome.rules):
        notes.append("concession-expired")
    if outcome.colour is Colour.GREEN and outcome.balance is not None and outcome.balance < low:
        notes.append("low-balance")
    return tuple(notes)


def board_of(outcome: Outcome, low: Rupiah) -> Board:
    """The board of an outcome; `low` is the balance (rupiah) below which a rider is warned."""
    paid = outcome.colour is Colour.GREEN or outcome.reason == "paid-earlier"
    return Board(
        _TONES[outcome.colour],
        outcome.reason,
        sound_of(outcome),
        outcome.amount if paid else None,
        outcome.balance,
        letter_of(outcome.rules),
        notes_of(outcome, low),
        hold_ms=HOLD_RED_MS if outcome.colour is Colour.RED else HOLD_MS,
        sequence=outcome.sequence,
        detail=outcome.detail,
    )
