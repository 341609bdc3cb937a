"""What every group of pages shares: the desk, the drawing, who asks, where to go back to, and acts on many things at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ledger.errors import LedgerError
from settlement.console.calls import to
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.console.calls import Answer, Ask
    from settlement.console.desk import Desk
    from settlement.console.drawing import Drawing
    from settlement.staff.sessions import Session

MANY_MAX: Final = 500
"""Things of one bulk action."""
_DIGITS_MAX: Final = 19
_BACK_CHARACTERS_MAX: Final = 1000


def number_of(text: str) -> int:
    """A number of an address or a form; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else 0


def signed(session: Session | None) -> Session:
    """Who asks: the gate lets nobody else come to a page that needs a right."""
    assert session is not None  # noqa: S101  see above
    return session


def back(ask: Ask, root: str) -> str:
    """The list that a form came from, with its filters; its root for anything else, so that no form leads elsewhere."""
    asked = ask.said("back")
    fits = asked.isascii() and asked.isprintable() and len(asked) <= _BACK_CHARACTERS_MAX
    return asked if fits and asked.startswith(f"{root}?") else root


class Pages:
    """A group of pages over one city."""

    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing

    def _missing(self, ask: Ask, session: Session | None, text: str, heading: str = "Not there") -> Answer:
        return self._drawing.message(ask, session, heading, text, HTTPStatus.NOT_FOUND)

    def _each(
        self,
        ask: Ask,
        session: Session | None,
        root: str,
        chosen: Sequence[str],
        act: Callable[[str], object],
    ) -> Answer:
        """Act on each thing that was chosen, each whole or not at all; back to the list, or which were not done and why."""
        if not 0 < len(chosen) <= MANY_MAX:
            raise SettlementError(f"choose 1 to {MANY_MAX} of the list first")
        refused = []
        for one in dict.fromkeys(chosen):
            try:
                act(one)
            except (SettlementError, LedgerError) as error:
                refused.append((one, str(error)))
        if not refused:
            return to(back(ask, root))
        done = len(dict.fromkeys(chosen)) - len(refused)
        return self._drawing.page(
            "told.html", ask, session, HTTPStatus.UNPROCESSABLE_ENTITY, done=done, refused=refused, back=back(ask, root)
        )  # fmt: skip
