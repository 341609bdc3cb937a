"""The one place that builds objects from a data folder: ledger, intake, night, pages."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from hebat.banking import Banking
from hebat.bundles.office import Office
from hebat.cardholding import SignedCodes, Town
from hebat.founding import AUTHORITY_LABEL
from hebat.journeys import FareRules
from hebat.known_tariffs import KnownTariffs
from hebat.migrations.upgrade import require_newest
from hebat.settings import read_settings
from hebat.story_clock import StoryClock
from hebat.vaults import ledger_vault
from keys.bundle import city_id
from keys.clock import SystemClock
from keys.identity import TerminalAuthority
from ledger.book import Ledger
from ledger.bundles.blocks import Blocks
from ledger.bundles.shelf import Shelf
from ledger.cardholder.resealing import seal_anew
from ledger.cardholder.room import Outside, Room, Surroundings
from ledger.cardholder.sealing import Sealing, make_keys
from ledger.enrolment.desk import EnrolmentDesk
from ledger.history.book import History
from ledger.history.indexing import Indexer
from ledger.intake.loads import Loads
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from ledger.intake.receive import Intake
from ledger.intake.registry import Registry
from ledger.journeys.nightly import Journeys
from ledger.proofs.book import Checkpoints, Signer
from ledger.relay.desk import LoadDesk
from ledger.shifts.desk import ShiftDesk
from ledger.store import Database
from ledger.vaults.handout import HandoutDesk
from ledger.vaults.memory import VaultMemory
from ledger.wallets.blocked import Follower
from ledger.wallets.desk import WalletDesk
from ledger.wallets.loads.desk import OrderedLoads
from settlement.calendar.cut_off import city_cut_offs
from settlement.console.desk import Desk
from settlement.night.running import Night
from settlement.rulebook.book import Rulebook
from settlement.staff.office import StaffOffice
from settlement.staff.seal import seal_of

if TYPE_CHECKING:
    from types import TracebackType

    from hebat.folder import Folder
    from keys.clock import Clock
    from keys.vault import Vault
    from settlement.participants import Participants
    from terminals.fares import Tariff


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a city decides: who takes part, and which tariffs hold."""

    participants: Participants
    tariffs: tuple[Tariff, ...]


def checkpoints_of(folder: Folder, database: Database, vault: Vault) -> Checkpoints:
    """The book of checkpoints of a city's ledger; its origin names the city by its terminal authority."""
    origin = f"kartu-semarang-hebat/{city_id(vault.public_key(AUTHORITY_LABEL)).hex()}"
    signer = Signer(vault.public_key(LEDGER_LABEL), lambda data: vault.sign(LEDGER_LABEL, data))
    return Checkpoints(database, origin, signer, folder.checkpoints)


def outside() -> Outside:
    """How the cardholder's pages are reached, by the settings."""
    settings = read_settings()
    proxies = frozenset(one.strip() for one in settings.proxies.split(",") if one.strip())
    return Outside(settings.page_address.startswith("https://"), proxies)


class City:
    """An open city: everything of one data folder, wired. A context manager; closing it closes the ledger."""

    def __init__(self, folder: Folder, configuration: Configuration, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.configuration = configuration
        self.vault = ledger_vault(folder)
        make_keys(self.vault)  # a city of an earlier release has none yet
        self.authority = TerminalAuthority(self.vault, AUTHORITY_LABEL, clock)
        self.root = folder.root_certificate.read_bytes()
        self.ledger = self._opened_ledger()
        database = self.ledger.database
        VaultMemory(database).note(self.vault)
        self.registry = Registry(database, self.root)
        self.shelf, self.blocks = Shelf(database), Blocks(database)
        self._tariffs = KnownTariffs(configuration.tariffs, self.shelf, self.vault)
        self._open_to_terminals()
        self._open_loads()
        self._keep_proofs_and_history()
        self._open_to_holders()
        self._open_wallets()
        rules = FareRules(self._tariffs, self.shelf, self.vault)
        self.journeys = Journeys(self.ledger, self.registry, rules, clock)
        self.take_parties(configuration)

    def _opened_ledger(self) -> Ledger:
        database = Database(self.folder.database_url)
        database.check()
        with database.transaction() as connection:
            require_newest(connection)
        return Ledger.open(database, self.clock, city_cut_offs(database))

    def _open_to_terminals(self) -> None:
        """What terminals ask the ledger for: certificates, figures of a shift, newer keys; and where their batches come in."""
        database, clock = self.ledger.database, self.clock
        ledger_key = self.vault.public_key(LEDGER_LABEL)
        self.enrolment = EnrolmentDesk(database, self.registry, self.authority, self.root, ledger_key, clock)
        self.shifts = ShiftDesk(database, self.registry, clock)
        self.handout = HandoutDesk(self.registry, self.vault, self.vault, clock)
        self.intake = Intake(self.ledger, self.registry, self.vault, self._tariffs, clock)

    def _open_loads(self) -> None:
        """Loads at kiosks, and those that holders order from their wallets."""
        clock = self.clock
        loads = Loads(self.ledger, self.registry, self.intake.intents, clock)
        ticks = clock.ticks if isinstance(clock, StoryClock) else time.monotonic
        self.desk = LoadDesk(self.ledger, self.intake, loads, self.vault, clock, ticks)
        self.ordered = OrderedLoads(self.ledger, self.registry, self.intake.intents, clock)
        self.desk.ordered = self.ordered.uids
        self.intake.after_batch.append(self.ordered.look)

    def _keep_proofs_and_history(self) -> None:
        """Checkpoints that anybody can check, and the index that pages read; both go on with each closing."""
        self.checkpoints = checkpoints_of(self.folder, self.ledger.database, self.vault)
        self.checkpoints.make_all()
        self.history = History(self.ledger.database)
        self.indexer = Indexer(self.ledger.database, lambda: self.ledger.head().position)
        self.ledger.after_closing += [
            lambda _: self.checkpoints.make_all(),
            lambda _: self.indexer.catch_up(),
        ]

    def _open_to_holders(self) -> None:
        """The banks' lines, and the pages of those who hold a card."""
        who, answered = self.configuration.participants, read_settings().answer_bank_days
        town = Town(self._tariffs, self.registry, who, Rulebook(self.ledger.database), answered)
        sealing = Sealing(self.vault)
        self.banking = Banking.open(self.folder, self.ledger, sealing, self.clock)
        savings = None if self.banking is None else self.banking.savings
        codes, hotlist = SignedCodes(self.registry), Office.of(self).hotlist
        ledger_key = self.vault.public_key(LEDGER_LABEL)
        around = Surroundings(town, codes, town, hotlist, ledger_key, self.ordered, savings)
        self.cardholders = Room.of(self.ledger, self.registry, self.vault, self.clock, outside(), around)
        self.ledger.after_closing += [
            lambda _: self.cardholders.erase_expired(),
            lambda _: seal_anew(self.ledger, sealing),
        ]
        if self.banking is not None:
            links = self.banking.savings.links
            self.ledger.after_closing.append(lambda _: links.seal_anew())

    def _open_wallets(self) -> None:
        """Payments between wallets, resumed; blocked cards followed; orders that ran out given back."""
        self.following = Follower(self.ledger)
        self.following.look()
        self.wallets = WalletDesk(self.ledger, self.clock)
        self.wallets.resume()
        self.ordered.sweep()
        self.ledger.after_closing.append(lambda _: self.ordered.sweep())

    def take_parties(self, configuration: Configuration) -> None:
        """Let nights from here on pay those who take part now: a city that stays open hears of changes by this."""
        self.configuration = configuration
        self.night = Night(
            self.ledger,
            configuration.participants,
            None,
            self.folder.bank_out,
            before_closing=self.journeys.run,
            schemas=self.folder.schemas,
            savings=None if self.banking is None else self.banking.night,
        )

    @cached_property
    def staff_desk(self) -> Desk:
        """The rooms that the bank's staff work in."""
        office = StaffOffice(self.ledger.database, seal_of(self.folder.staff_key), SystemClock())
        who = self.configuration.participants
        return Desk(self.ledger, who, office, self.night, self.clock, self.cardholders.disputes)

    def asking(self) -> AbstractContextManager[object]:
        """What asks after open bank orders while the city is served; nothing where it has no bank."""
        return nullcontext() if self.banking is None else self.banking.asking()

    def __enter__(self) -> Self:
        self.indexer.__enter__()
        self.following.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.following.__exit__(kind, error, trace)
        self.indexer.__exit__(kind, error, trace)
        self.cardholders.close()
        if self.banking is not None:
            self.banking.close()
        self.ledger.close()
        self.vault.close()
