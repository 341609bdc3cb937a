"""Reading and writing the newest known state of each vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from keys.vault import VaultRecord
from ledger.intake.tables import vault_records
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from ledger.store import Connection


def read_records(connection: Connection) -> dict[str, VaultRecord]:
    """The newest known state of each vault, by the vault's name."""
    table = vault_records
    query = sa.select(table.c.name, table.c.generation, table.c.digest).where(table.c.partition == WHOLE)
    return {
        name: VaultRecord(name, generation, bytes(digest))
        for name, generation, digest in connection.execute(query)
    }


def write_record(connection: Connection, record: VaultRecord) -> None:
    """Put a vault's state in place of what was known of it."""
    table = vault_records
    connection.execute(sa.delete(table).where(table.c.partition == WHOLE, table.c.name == record.name))
    values = {"name": record.name, "generation": record.generation, "digest": record.digest}
    connection.execute(sa.insert(table), {"partition": WHOLE, **values})
