"""Issue signed bundles: the next number of a kind, signed with the city's bundle key, kept on the ledger's shelf."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, time
from typing import TYPE_CHECKING

from hebat.founding import AUTHORITY_LABEL
from hebat.vaults import city_vault
from keys.bundle import EVERY, LABEL, Bundle, BundleKind, city_id, opened, sealed
from keys.clock import SERVICE_DAY_STARTS, date_of, moment
from keys.vault import Role
from ledger.bundles.blocks import Blocks
from ledger.bundles.shelf import Shelf
from ledger.intake.registry import Registry
from ledger.store import Database
from terminals.bundles import contents, hotlist
from terminals.bundles.hotlist import NOBODY, Hotlist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from hebat.wiring import City
    from keys.clock import Clock, Day, UnixMs
    from keys.vault import Vault
    from ledger.bundles.store import Issued
    from terminals.bundles.contents import Limits
    from terminals.fares import Tariff

TERMINAL_ROLES = (Role.READ, Role.DEBIT, Role.LOAD)
"""The card keys that terminals hold, and whose versions in use a bundle names."""


def start_of(day: Day) -> UnixMs:
    """When a service day begins."""
    return moment(datetime.combine(date_of(day), time()) + SERVICE_DAY_STARTS)


class Office:
    """The desk: each call issues one bundle (a hotlist also its delta), durable on return.

    Raises KeyMissing where the city was founded without a bundle key, EnvelopeError over a limit.
    """

    def __init__(self, vault: Vault, shelf: Shelf, blocks: Blocks, clock: Clock) -> None:
        self.shelf = shelf
        self.blocks = blocks
        self._vault = vault
        self._clock = clock
        self._city = city_id(vault.public_key(AUTHORITY_LABEL))

    @classmethod
    def of(cls, city: City) -> Office:
        """The desk of an open city."""
        return cls(city.vault, city.shelf, city.blocks, city.clock)

    def tariff(self, tariff: Tariff, audience: str = EVERY) -> list[Issued]:
        """A tariff, in force from the beginning of its first service day."""
        body = contents.encode_tariff(tariff)
        return self._one(BundleKind.TARIFF, body, start_of(tariff.valid_from), audience)

    def limits(self, limits: Limits, valid_from: UnixMs, audience: str = EVERY) -> list[Issued]:
        """What one sale and one load may be."""
        return self._one(BundleKind.LIMITS, contents.encode_limits(limits), valid_from, audience)

    def calendar(self, holidays: frozenset[Day], valid_from: UnixMs) -> list[Issued]:
        """The holidays, all of them: a calendar replaces the one before."""
        return self._one(BundleKind.CALENDAR, contents.encode_calendar(holidays), valid_from, EVERY)

    def keys(self, valid_from: UnixMs) -> list[Issued]:
        """The key versions in use: those that the city's vault holds."""
        versions = {role: tuple(self._vault.versions(role)) for role in TERMINAL_ROLES}
        return self._one(BundleKind.KEYS, contents.encode_keys(versions), valid_from, EVERY)

    def hotlist(self) -> list[Issued]:
        """The cards that are blocked now, as a full list and as a delta on the list before; [] where nothing changed."""
        now = self._clock.now()
        wanted = Hotlist.of(block.uid for block in self.blocks.now())

        def make(number: int) -> list[tuple[Bundle, bytes]]:
            before = self.listed(number - 1) if number > 1 else NOBODY
            if number > 1 and before.digest() == wanted.digest():
                return []
            whole, body = hotlist.encode_full(wanted), hotlist.encode_delta(before, wanted)
            full = self._sealed(BundleKind.HOTLIST, number, 0, now, EVERY, whole)
            if number == 1 or len(body) >= len(whole):
                return [full]
            return [full, self._sealed(BundleKind.HOTLIST, number, number - 1, now, EVERY, body)]

        return self.shelf.add(BundleKind.HOTLIST, make, now)

    def listed(self, number: int) -> Hotlist:
        """The list of a number; raises BundleUnknown."""
        return hotlist.apply(NOBODY, self.opened(BundleKind.HOTLIST, number).body)

    def opened(self, kind: BundleKind, number: int) -> Bundle:
        """A full bundle, its signature checked; raises BundleUnknown, SignatureWrong."""
        return opened(self.shelf.data(kind, number), self._vault.public_key(LABEL))

    def _one(self, kind: BundleKind, body: bytes, valid_from: UnixMs, audience: str) -> list[Issued]:
        return self.shelf.add(
            kind,
            lambda number: [self._sealed(kind, number, 0, valid_from, audience, body)],
            self._clock.now(),
        )

    def _sealed(
        self, kind: BundleKind, number: int, base: int, valid_from: UnixMs, audience: str, body: bytes
    ) -> tuple[Bundle, bytes]:
        bundle = Bundle(self._city, audience, kind, number, base, valid_from, body)
        key = self._vault.public_key(LABEL)
        return bundle, sealed(bundle, key, lambda message: self._vault.sign(LABEL, message))


@contextmanager
def open_office(folder: Folder, clock: Clock) -> Iterator[tuple[Office, Registry]]:
    """The desk of a data folder and its cards; needs no lease, so that a server may run beside it."""
    vault = city_vault(folder)
    database = Database(folder.database_url)
    try:
        registry = Registry(database, folder.root_certificate.read_bytes())
        yield Office(vault, Shelf(database), Blocks(database), clock), registry
    finally:
        database.close()
        vault.close()


def first_bundles(city: City, tariff: Tariff) -> None:
    """What a new city tells its terminals: its tariff, and the rest as it stands on the first day."""
    office, now = Office.of(city), city.clock.now()
    office.tariff(tariff)
    office.limits(contents.Limits(), now)
    office.calendar(tariff.holidays, now)
    office.keys(now)
    office.hotlist()
