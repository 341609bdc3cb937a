"""Addresses of the console at which no page is: somebody mistyped one, or an old one was kept."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from settlement.console.calls import Door, Page, to

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.console.drawing import Drawing
    from settlement.staff.sessions import Session


class StrayPages:
    """What every other address leaves; strangers are led to the door, as from any page."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    def pages(self) -> tuple[Page, ...]:
        """Their addresses, which fit everything below the console's three."""
        return (
            Page("GET", "/staff", Door.SIGNED_IN, self.overview),
            *(Page("GET", f"/{root}/{{rest:path}}", Door.SIGNED_IN, self.stray) for root in ("console", "night", "staff")),
        )  # fmt: skip

    def overview(self, ask: Ask, session: Session | None) -> Answer:  # noqa: ARG002  the same for everybody
        """The beginning."""
        return to("/console")

    def stray(self, ask: Ask, session: Session | None) -> Answer:
        """That nothing is there."""
        text = "There is no page at this address."
        return self._drawing.message(ask, session, "Not found", text, HTTPStatus.NOT_FOUND)
