"""A group's way into the database: its rows, and those of its units' own tables, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.broken import Behind

if TYPE_CHECKING:
    from ledger.group import Ahead, Group
    from ledger.store import Connection, Database


def write(group: Group, database: Database) -> None:
    """Write a group and commit it; raises Behind where what is committed ahead of it was not."""
    with group.commit:
        connection = group.connection or group.begin(database)
        if group.before is not None:
            _write_beside(group, group.before, connection)
        if group.tx is not None:
            copies = None if group.ready is None else group.ready.begin(connection)
            group.tx.gathered.write(connection, copies)
        group.sent = True


def _write_beside(group: Group, before: Ahead, connection: Connection) -> None:
    """Send its journal's rows while the commit before runs, then wait for that.

    Nothing else goes ahead: two transactions that wait for each other's keys, while one waits here for the other, would wait for ever.
    """
    if group.ready is not None:
        group.ready.send_ahead(connection)
    before.ended.result()
    group.before = None
    if not before.group.durable:
        raise Behind
