"""Take the database's guards of closed windows away, as somebody would who means to change them: what is changed then must be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection

_GUARDS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


def unguard(connection: Connection) -> None:
    """On SQLite for good, on PostgreSQL for this transaction (as its superuser may)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    for name in connection.exec_driver_sql(_GUARDS).scalars().all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


def unguard_file(database: sqlite3.Connection) -> None:
    """The same for a file opened by hand."""
    for (name,) in database.execute(_GUARDS).fetchall():
        database.execute(f"DROP TRIGGER {name}")
