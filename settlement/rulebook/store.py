"""Pages of the rulebook in the database; they are added and read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import UnixMs
from settlement.rulebook.model import Page, RuleKind
from settlement.tables import WHOLE, rules

if TYPE_CHECKING:
    from ledger.store import Connection


def insert(connection: Connection, page: Page) -> None:
    """Add a page."""
    values = {
        "kind": page.kind.value,
        "name": page.name,
        "version": page.version,
        "content": page.content,
        "author": page.author,
        "reason": page.reason,
        "made_at": page.made_at,
    }
    connection.execute(sa.insert(rules), {"partition": WHOLE, **values})


def pages(connection: Connection, kind: RuleKind, name: str | None = None) -> list[Page]:
    """All pages of a kind, or of one name: by name, then version."""
    query = sa.select(rules).where(rules.c.partition == WHOLE, rules.c.kind == kind.value)
    if name is not None:
        query = query.where(rules.c.name == name)
    return [_page(row) for row in connection.execute(query.order_by(rules.c.name, rules.c.version))]


def _page(row: Any) -> Page:
    return Page(
        RuleKind(row.kind), row.name, row.version, row.content, row.author, row.reason, UnixMs(row.made_at)
    )
