"""The rulebook of a city: read what holds, add what shall hold from now on. It moves no money and works beside a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settlement.errors import RuleRefused
from settlement.rulebook import store
from settlement.rulebook.model import VERSIONS_MAX, Page, RuleKind, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keys.clock import UnixMs
    from ledger.store import Connection, Database


class Rulebook:
    """The pages in a city's database. `also` is called in the transaction that adds a page: a log's entry stands or falls with it."""

    def __init__(self, database: Database, also: Callable[[Connection], object] | None = None) -> None:
        self._database = database
        self._also = also

    def add(self, kind: RuleKind, name: str, content: Any, *, author: str, reason: str, at: UnixMs) -> Page:
        """Keep a new version, durable on return; raises RuleRefused. The same content again is the page that is there."""
        made = self.add_all(kind, {name: content}, author=author, reason=reason, at=at)
        return made[0] if made else self.history(kind, name)[-1]

    def add_all(
        self, kind: RuleKind, contents: Mapping[str, Any], *, author: str, reason: str, at: UnixMs
    ) -> list[Page]:
        """Keep a new version of each name, all of them or none; those that are new. Raises RuleRefused."""
        written = {name: checked(name, content, author, reason) for name, content in contents.items()}
        made = []
        with self._database.writing() as connection:
            for name, content in written.items():
                before = store.pages(connection, kind, name)
                if before and before[-1].content == content:
                    continue
                if len(before) >= VERSIONS_MAX:
                    raise RuleRefused(
                        f"{name} has {VERSIONS_MAX} versions, as many as may be: take another name"
                    )
                page = Page(kind, name, len(before) + 1, content, author, reason, at)
                store.insert(connection, page)
                made.append(page)
            if made and self._also is not None:
                self._also(connection)
        return made

    def current(self, kind: RuleKind) -> list[Page]:
        """The newest version of each name, by name."""
        with self._database.transaction() as connection:
            return list({page.name: page for page in store.pages(connection, kind)}.values())

    def history(self, kind: RuleKind, name: str) -> list[Page]:
        """All versions of a name, oldest first; [] where there is none."""
        with self._database.transaction() as connection:
            return store.pages(connection, kind, name)
