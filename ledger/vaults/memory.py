"""The ledger's memory of vaults: whoever puts an older copy of a vault back does not put the database back with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.vaults import store

if TYPE_CHECKING:
    from keys.vault import Recorded, VaultRecord
    from ledger.store import Database


class VaultMemory:
    """The newest known state of each vault. Ask for it before a vault is opened: meanwhile another process may change both."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self) -> dict[str, VaultRecord]:
        """The newest known states, by the vaults' names."""
        with self._database.transaction() as connection:
            return store.read_records(connection)

    def note(self, vault: Recorded, *, restored: bool = False) -> None:
        """Remember a vault's state, unless a later one is known; one restored from a backup is taken as it is.

        Raises VaultRolledBack where the vault has left the history that is known.
        """
        record = vault.record()
        with self._database.writing() as connection:
            known = store.read_records(connection).get(record.name)
            if known is None or restored:
                store.write_record(connection, record)
            elif known.generation <= record.generation:
                vault.check_against(known)
                store.write_record(connection, record)
