"""The one place that builds objects from a data folder: ledger, intake, night, pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hebat.founding import AUTHORITY_LABEL
from keys.filevault import FileVault
from keys.identity import TerminalAuthority
from keys.money import Rupiah
from ledger.book import Ledger
from ledger.intake.loads import Loads
from ledger.intake.receive import Intake
from ledger.intake.registry import Registry
from ledger.store import Database
from settlement.fees import qris_rates
from settlement.night import Night

if TYPE_CHECKING:
    from types import TracebackType

    from card.layout import Identity
    from hebat.folder import Folder
    from keys.clock import Clock
    from settlement.participants import Participants
    from terminals.fares import Tariff


class KnownTariffs:
    """The tariffs that terminals use, as the ledger's posting rules ask for them."""

    def __init__(self, tariffs: tuple[Tariff, ...]) -> None:
        self._by_version = {tariff.version: tariff for tariff in tariffs}

    def subsidy(self, tariff: str, _identity: Identity, paid: Rupiah, rules: tuple[str, ...]) -> Rupiah:
        """What the city adds to a fare; nothing under a tariff that it does not know."""
        known = self._by_version.get(tariff)
        return known.subsidy(paid, rules) if known else Rupiah(0)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a city decides: who takes part, and which tariffs hold."""

    participants: Participants
    tariffs: tuple[Tariff, ...]


class City:
    """An open city: everything of one data folder, wired. A context manager; closing it closes the ledger."""

    def __init__(self, folder: Folder, configuration: Configuration, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.configuration = configuration
        self.vault = FileVault.open(folder.vault, folder.passphrase(), folder.vault.name)
        self.authority = TerminalAuthority(self.vault, AUTHORITY_LABEL, clock)
        self.root = folder.root_certificate.read_bytes()
        database = Database(folder.database_url)
        self.ledger = Ledger.open(database, clock)
        self.registry = Registry(database, self.root)
        tariffs = KnownTariffs(configuration.tariffs)
        self.intake = Intake(self.ledger, self.registry, self.vault, tariffs, clock)
        self.loads = Loads(self.ledger, self.registry, clock)
        self.night = Night(self.ledger, configuration.participants, qris_rates(), folder.bank_out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
