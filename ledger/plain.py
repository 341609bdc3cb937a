"""Asking the driver itself, for what every commit asks: SQLAlchemy's ways of putting a query and its answer cost more than the answer does."""

from __future__ import annotations

import select
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger.store import Connection


def asked(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """All rows of an answer, within the connection's transaction; raises the driver's own errors."""
    driver: Any = connection.connection
    with closing(driver.cursor()) as cursor:
        cursor.execute(statement, *([values] if values else []))
        rows: list[Any] = cursor.fetchall()
    return rows


def is_cut(driver: Any) -> bool:
    """Whether PostgreSQL's end of a connection that rests has hung up, as far as can be seen without asking: it says nothing unasked otherwise."""
    if driver.closed:
        return True
    poll = select.poll()  # which takes any descriptor, where `select` stops at 1023
    poll.register(driver, select.POLLIN)
    return bool(poll.poll(0))
