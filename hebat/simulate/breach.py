"""What a run ends with where a law does not hold."""

from __future__ import annotations

from typing import Final

NO_LAW: Final = 0
"""Of what is wrong and stands in none of the laws: a wrong fare, a blocked card that was taken, a program that failed as nobody foresaw."""
ROUND: Final = 100
"""Sen in a rupiah: what a chip counts is never less."""


class Breach(Exception):
    """A law of the design does not hold; 0 for a program that failed in a way that nobody foresaw."""

    def __init__(self, law: int, detail: str) -> None:
        super().__init__(f"law {law}: {detail}")
        self.law = law
        self.detail = detail
