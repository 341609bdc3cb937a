"""A desk that makes cards, beside a running server or without one: it holds no lease of the ledger, only the city's keys and its list of cards."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hebat.configurations import configuration_of
from hebat.migrations.upgrade import require_newest
from hebat.vaults import city_vault
from keys.clock import SystemClock
from ledger.intake.registry import Registry
from ledger.store import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from hebat.wiring import Configuration
    from keys.clock import Clock
    from keys.vault import Vault


class CardRoom(Protocol):
    """What cards are made with: a `CardDesk`, or a whole open city."""

    @property
    def folder(self) -> Folder:
        """The city's folder."""

    @property
    def configuration(self) -> Configuration:
        """Its banks."""

    @property
    def vault(self) -> Vault:
        """Its keys, in whichever versions are in use now."""

    @property
    def registry(self) -> Registry:
        """Its cards."""

    @property
    def clock(self) -> Clock:
        """What day it is."""


@dataclass(frozen=True, slots=True)
class CardDesk:
    """Implements `CardRoom` for a process of its own."""

    folder: Folder
    configuration: Configuration
    vault: Vault
    registry: Registry
    clock: Clock


@contextmanager
def open_desk(folder: Folder) -> Iterator[CardDesk]:
    """The desk of a data folder; a server that runs finds its cards as soon as they are met. Raises InputRefused, VaultError, StorageError."""
    configuration = configuration_of(folder)
    with closing(city_vault(folder)) as vault, closing(Database(folder.database_url)) as database:
        database.check()
        with database.transaction() as connection:
            require_newest(connection)
        registry = Registry(database, folder.root_certificate.read_bytes())
        yield CardDesk(folder, configuration, vault, registry, SystemClock())
