"""The rows and documents of archived business dates that are stored still: which there are, and taking them out.

On PostgreSQL a date's own table goes whole, and for that needs a lock that shuts everybody out for a moment: it waits no longer for it than
others can bear to wait behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from keys.clock import date_of
from ledger.archive import store
from ledger.chart import PARTITIONS
from ledger.errors import DatabaseBusy
from ledger.tables import WHOLE, documents, transfers

if TYPE_CHECKING:
    from keys.clock import Day
    from ledger.archive.store import Archived, Span

LOCK_MS_MAX: Final = 200
"""How long the table of a date may make everybody wait who writes, or begins to read, behind its own waiting for a lock."""
_LOCK_NOT_AVAILABLE: Final = "55P03"
"""PostgreSQL documentation, appendix A: error codes."""
_DAYS: Final = sa.text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass('transfers')"
)
# Each transaction holds a lock on its own virtual number while it lasts (PostgreSQL documentation, 52.74 pg_locks). Vacuum reads no journal.
_UNDER_WAY: Final = sa.text(
    "SELECT l.virtualxid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'virtualxid' AND l.granted "
    "AND a.datname = current_database() AND l.pid <> pg_backend_pid() AND coalesce(a.backend_type, '') <> 'autovacuum worker'"
)


def left(connection: sa.Connection) -> list[Archived]:
    """The dates in the archive of which something is stored still, oldest first."""
    archived = store.read(connection)
    if not archived:
        return []
    holds = _holding(connection)
    lowest = connection.execute(
        sa.select(sa.func.min(documents.c.block)).where(documents.c.partition == WHOLE)
    ).scalar()
    return [
        one
        for one in archived
        if (
            _name(one.span.business_date) in holds
            if isinstance(holds, set)
            else one.span.last_position >= holds and one.span.rows
        )
        or (lowest is not None and lowest <= one.span.last_block)
    ]


def _holding(connection: sa.Connection) -> set[str] | int:
    """PostgreSQL: the tables that there are of business dates; SQLite: the lowest position that is stored."""
    if connection.dialect.name == "postgresql":
        return set(connection.execute(_DAYS).scalars())
    lowest = [
        connection.execute(
            sa.select(sa.func.min(transfers.c.position)).where(transfers.c.partition == partition)
        ).scalar()
        for partition in range(PARTITIONS)
    ]
    return min((int(one) for one in lowest if one is not None), default=1 << 63)


def under_way(connection: sa.Connection) -> set[str]:
    """Names of the transactions of others that are open in this database now; none on SQLite, where each reads what it began with."""
    if connection.dialect.name != "postgresql":
        return set()
    return set(connection.execute(_UNDER_WAY).scalars())


def take_rows_out(connection: sa.Connection, first: int, last: int) -> None:
    """SQLite: the rows of a span of positions go."""
    within = transfers.c.position.between(first, last)
    for partition in range(PARTITIONS):
        connection.execute(sa.delete(transfers).where(transfers.c.partition == partition, within))


def take_documents_out(connection: sa.Connection, first: int, last: int) -> None:
    """The documents of a span of blocks go."""
    within = documents.c.block.between(first, last)
    connection.execute(sa.delete(documents).where(documents.c.partition == WHOLE, within))


def drop_day(connection: sa.Connection, span: Span) -> None:
    """PostgreSQL: a date's table goes; raises DatabaseBusy where somebody reads or writes the journal for longer than others may wait."""
    table = _name(span.business_date)
    if connection.execute(sa.select(sa.func.to_regclass(table))).scalar() is None:
        return
    try:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MS_MAX}")
        connection.exec_driver_sql(f"ALTER TABLE transfers DETACH PARTITION {table}")
        connection.exec_driver_sql(f"DROP TABLE {table}")
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise DatabaseBusy(f"somebody reads the journal all the time: {table} stays for now") from error


def _name(day: Day) -> str:
    return f"transfers_{date_of(day):%Y%m%d}"
