"""Reads a page's content field by field, typed: a page that a newer release wrote is refused by name, never guessed at."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from settlement.errors import RuleRefused

if TYPE_CHECKING:
    from settlement.rulebook.model import Page


class Reader:
    """One page's fields; each method raises RuleRefused."""

    def __init__(self, page: Page) -> None:
        self._page = page
        told: Any = page.told
        self._told: dict[str, Any] = told if isinstance(told, dict) else {}

    def flag_or_none(self, field: str) -> bool | None:
        """True, false, or null."""
        value = self._told.get(field, "")
        if value is not None and not isinstance(value, bool):
            raise self._refused(field)
        return value

    def day_of_name(self) -> date:
        """The day that the page is named after."""
        try:
            return date.fromisoformat(self._page.name)
        except ValueError:
            raise self._refused("name") from None

    def _refused(self, field: str) -> RuleRefused:
        page = self._page
        return RuleRefused(f"{page.kind} {page.name}, version {page.version}: {field} is not as it must be")
