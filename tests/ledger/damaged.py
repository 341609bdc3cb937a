"""A ledger that somebody changed behind its back, for whoever looks it over; the change is never kept."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ledger.store import Database
from tests.ledger.unguarded import unguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.store import Connection


class Damaged(Database):
    """The database as it would be with a change, which is never committed."""

    def __init__(self, real: Database, change: str) -> None:
        self.url, self._real, self._change = real.url, real, change

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._real.transaction() as connection:
            unguard(connection)
            assert connection.execute(sa.text(self._change)).rowcount > 0
            yield connection
            connection.rollback()
