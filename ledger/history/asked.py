"""What is asked of a statement: a period, where its next page goes on, and the cursor that says both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.errors import CursorInvalid

_CURSOR_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """A period, which line the page goes on behind, and in which direction."""

    after: int
    until: int
    behind: int
    newest_first: bool

    def cursor(self, behind: int) -> str:
        """The cursor of the page that goes on behind a line."""
        return f"{'d' if self.newest_first else 'a'}-{self.after}-{self.until}-{behind}"

    @classmethod
    def read(cls, cursor: str, newest: int) -> Asked:
        """From a cursor; raises CursorInvalid for one that no page gave."""
        way, *numbers = cursor[:_CURSOR_MAX].split("-")
        if (
            len(cursor) > _CURSOR_MAX
            or way not in {"a", "d"}
            or not all(one.isascii() and one.isdigit() for one in numbers)
        ):
            raise CursorInvalid("this is no cursor of a statement: begin again without one")
        values = [int(one) for one in numbers]
        if len(values) != 3 or not values[0] <= values[2] <= values[1] <= newest:  # noqa: PLR2004  after, until, behind
            raise CursorInvalid("this cursor is not of this ledger's statements: begin again without one")
        return cls(values[0], values[1], values[2], way == "d")

    @property
    def span(self) -> tuple[int, int]:
        """The positions that are still to come, both included."""
        return (self.after + 1, self.behind - 1) if self.newest_first else (self.behind + 1, self.until)
