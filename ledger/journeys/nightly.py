"""The night's look at journeys: read what came in, rebuild the cards that it touches, correct what the rules make different."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from keys.clock import UnixMs
from keys.money import Sen
from ledger.errors import TerminalUnknown
from ledger.intake.bounds import outside_rights
from ledger.journeys import store
from ledger.journeys.correcting import CorrectFares, Target
from ledger.journeys.reading import read_new

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.intake.registry import Registry
    from ledger.journeys.fares import Fares, Ride
    from ledger.journeys.store import CorrectionRow

_DAY_MS: Final = 86_400_000
CORRECTED_DAYS: Final = 28
"""How old a tap may be that is still corrected."""
CONTEXT_DAYS: Final = CORRECTED_DAYS + 8
"""How far back rides are looked at: caps reach over a week, so that a tap in the corrected days never hangs on what lies before."""
_log = structlog.get_logger("ledger.journeys")


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a look at journeys did: cards looked at, taps corrected, and what holds for each of them now."""

    cards: int
    taps: int
    rows: tuple[CorrectionRow, ...]


class Journeys:
    """Rebuilds journeys over one ledger. Running it again changes nothing."""

    def __init__(self, ledger: Ledger, registry: Registry, fares: Fares, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._fares = fares
        self._clock = clock

    def run(self) -> Corrected:
        """Everything that came in since the last time, and every card that is still inside. Raises Overloaded, LedgerStopped."""
        now = self._clock.now()
        since = UnixMs(max(0, now - CONTEXT_DAYS * _DAY_MS))
        touched, last = read_new(self._ledger.database, self._registry)
        with self._ledger.database.transaction() as connection:
            touched.update(store.still_inside(connection, since))
        rows: list[CorrectionRow] = []
        for partition, uid in sorted(touched):
            rows += self._card(partition, uid, since, now)
        with self._ledger.database.writing() as connection:
            store.note_read(connection, last)
        if rows:
            _log.info("fares corrected", cards=len(touched), taps=len(rows))
        return Corrected(len(touched), len(rows), tuple(rows))

    def held(self) -> Sen:
        """What the corrections that hold come to: positive where rides cost more than cards have paid."""
        with self._ledger.database.transaction() as connection:
            return Sen(store.held_in_all(connection))

    def _card(self, partition: int, uid: int, since: UnixMs, now: UnixMs) -> list[CorrectionRow]:
        with self._ledger.database.transaction() as connection:
            rides = store.rides_of(connection, partition, uid, since)
            known = store.corrections_of(connection, partition, uid)
        wanted = {one.tmc: one for one in self._fares.corrections(rides, now)}
        oldest = now - CORRECTED_DAYS * _DAY_MS
        targets = [
            Target(ride, operator, wanted.get(ride.tmc))
            for ride, operator in self._operated(rides)
            if ride.occurred_at >= oldest and (ride.tmc in wanted or ride.tmc in known)
        ]
        if not targets:
            return []
        done: list[CorrectionRow] = self._ledger.writer.submit(CorrectFares(targets)).result()
        return done

    def _operated(self, rides: list[Ride]) -> Iterator[tuple[Ride, int]]:
        """Rides with the operator who earns them; one by a terminal that may take no fares is in suspense, and stays there."""
        for ride in rides:
            try:
                certificate = self._registry.enrolled(ride.terminal, ride.occurred_at)
            except TerminalUnknown:
                continue
            if outside_rights(ride.transaction, certificate) is None:
                yield ride, certificate.owner
