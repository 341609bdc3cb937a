"""The code on a card (QR, ISO/IEC 18004): error correction H, for a card that is worn, and a quiet zone of four squares; readable at 18 mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import qrcode
from qrcode.constants import ERROR_CORRECT_H

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDE_MM: Final = 18.0
"""The code's side without its quiet zone."""
QUIET: Final = 4
"""Squares of white around it (ISO/IEC 18004, section 9.1)."""
SQUARE_MM_MIN: Final = 0.33
"""What an old phone's camera still tells apart at a hand's distance; an address that needs smaller squares is refused."""


class Run(NamedTuple):
    """Dark squares side by side: the first one's place, and how many."""

    x: int
    y: int
    length: int


class Code(NamedTuple):
    """A code's side in squares, and its dark ones."""

    side: int
    runs: tuple[Run, ...]

    @property
    def square_mm(self) -> float:
        """How large a square is in print."""
        return SIDE_MM / self.side


def code_of(address: str) -> Code:
    """The code of an address."""
    made = qrcode.QRCode(error_correction=ERROR_CORRECT_H, border=0)
    made.add_data(address.encode(), optimize=0)
    made.make(fit=True)
    matrix = made.get_matrix()
    return Code(len(matrix), tuple(_runs(matrix)))


def _runs(matrix: list[list[bool]]) -> Iterator[Run]:
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            length = 0
            while x + length < len(row) and row[x + length]:
                length += 1
            if length:
                yield Run(x, y, length)
            x += max(length, 1)
