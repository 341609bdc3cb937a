"""Whom a signed message names as its sender, before anybody has looked whether it is signed by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.errors import TerminalUnknown

if TYPE_CHECKING:
    from keys.envelope import Envelope

NUMBER_MAX: Final = (1 << 63) - 1
"""The greatest number that a table has room for."""


def terminal_of(message: Envelope) -> int:
    """The terminal that a message's key identifier is the number of; raises TerminalUnknown where no terminal can have it.

    Anybody may send any identifier, of up to 64 bytes; a database would fail at one that is no 64-bit integer, and the batch would not be kept.
    """
    number = int.from_bytes(message.kid, "big")
    if number > NUMBER_MAX:
        raise TerminalUnknown(f"terminal {message.kid[:16].hex()}... is not enrolled here: enrol it first")
    return number
