"""The city's vault, opened against what the ledger remembers of it (`ledger.vaults`): an older copy is refused wherever it is opened."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from keys.filevault import FileVault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from keys.ledgervault import LedgerVault
    from keys.vault import KeyVault, VaultRecord
    from ledger.vaults.memory import VaultMemory

_V = TypeVar("_V", bound=FileVault)


@contextmanager
def _memory(folder: Folder) -> Iterator[VaultMemory | None]:
    """None where there is no ledger (yet): the key room may come before it."""
    if not folder.has_ledger:
        yield None
        return
    from ledger.store import Database  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.vaults.memory import VaultMemory  # noqa: PLC0415  as above

    database = Database(folder.database_url)
    try:
        yield VaultMemory(database)
    finally:
        database.close()


def known_vaults(folder: Folder) -> dict[str, VaultRecord]:
    """What the ledger knows of vaults, to be asked before one is opened; raises StorageError."""
    with _memory(folder) as memory:
        return {} if memory is None else memory.known()


def agree(vault: KeyVault, known: dict[str, VaultRecord]) -> None:
    """Raises VaultRolledBack where a vault is older than what is known of it, or has left that history."""
    record = known.get(vault.record().name)
    if record is not None:
        vault.check_against(record)


def remember(folder: Folder, vault: KeyVault, *, restored: bool = False) -> None:
    """Let the ledger know a vault's state; after each change."""
    with _memory(folder) as memory:
        if memory is not None:
            memory.note(vault, restored=restored)


def city_vault(folder: Folder, passphrase: str | None = None) -> FileVault:
    """The city's vault; raises InputRefused where the folder holds none, VaultRolledBack for an older copy, VaultError."""
    return _opened(folder, FileVault, folder.passphrase() if passphrase is None else passphrase)


def ledger_vault(folder: Folder) -> LedgerVault:
    """The same as a server opens it, which proves whole batches of taps at once; raises as `city_vault`."""
    from keys.ledgervault import LedgerVault  # noqa: PLC0415  numba loads only where it is needed

    return _opened(folder, LedgerVault, folder.passphrase())


def _opened(folder: Folder, kind: type[_V], passphrase: str) -> _V:
    known = known_vaults(folder)
    vault = kind.open(folder.vault, passphrase, folder.vault.name)
    agree(vault, known)
    return vault
