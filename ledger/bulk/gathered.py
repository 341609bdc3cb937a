"""What the units of one commit have to write into side tables: gathered, and written once a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.bulk import store
from ledger.bulk.copies import Copies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.bulk.store import Columns, Table, Values
    from ledger.store import Connection


class Gathered:
    """Rows that wait to be written, by table."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Table, list[Mapping[str, Values]]]] = {}
        self._laid_out = Copies()

    @property
    def waits(self) -> bool:
        """True where there is something to write."""
        return bool(self._waiting or self._laid_out)

    def add(self, table: Table, columns: Columns) -> None:
        """Take columns of a table; raises ValueError where they are not the table's, or differ in length."""
        _, chunks = self._waiting.setdefault(table.name, (table, []))
        chunks.append(store.spread(table, columns))

    def lay_out(self) -> None:
        """For PostgreSQL: put what waits into its form already, before a connection is at hand."""
        waiting, self._waiting = self._waiting, {}
        self._laid_out.extend(store.copies_of(waiting.values()))

    def write(self, connection: Connection, besides: Copies | None = None) -> None:
        """Write what waits, in the order in which the tables were first met; on PostgreSQL in one go with COPYs made elsewhere."""
        waiting, self._waiting = self._waiting, {}
        copies, self._laid_out = self._laid_out, Copies()
        if besides is not None:
            besides.extend(copies)
            copies = besides
        store.write_all(connection, waiting.values(), copies)
