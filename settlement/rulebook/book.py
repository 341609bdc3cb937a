"""The rulebook of a city: read what holds, add what shall hold from now on. It moves no money and works beside a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settlement.errors import RuleRefused
from settlement.rulebook import store
from settlement.rulebook.model import VERSIONS_MAX, Page, RuleKind, checked

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from ledger.store import Database


class Rulebook:
    """The pages in a city's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: RuleKind, name: str, content: Any, *, author: str, reason: str, at: UnixMs) -> Page:
        """Keep a new version, durable on return; raises RuleRefused. The same content again is the page that is there."""
        written = checked(name, content, author, reason)
        with self._database.writing() as connection:
            before = store.pages(connection, kind, name)
            if before and before[-1].content == written:
                return before[-1]
            if len(before) >= VERSIONS_MAX:
                raise RuleRefused(f"{name} has {VERSIONS_MAX} versions, as many as may be: take another name")
            page = Page(kind, name, len(before) + 1, written, author, reason, at)
            store.insert(connection, page)
        return page

    def current(self, kind: RuleKind) -> list[Page]:
        """The newest version of each name, by name."""
        with self._database.transaction() as connection:
            return list({page.name: page for page in store.pages(connection, kind)}.values())

    def history(self, kind: RuleKind, name: str) -> list[Page]:
        """All versions of a name, oldest first; [] where there is none."""
        with self._database.transaction() as connection:
            return store.pages(connection, kind, name)
