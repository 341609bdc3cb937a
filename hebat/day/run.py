"""Run a file of trips: read it whole, then day by day through cards, gates, ledger and night."""

from __future__ import annotations

import resource
import time
from collections import Counter
from datetime import date, datetime, timedelta
from datetime import time as wall_time
from typing import TYPE_CHECKING, Final

from hebat import laws
from hebat.application import application
from hebat.bundles.office import first_bundles
from hebat.day import town
from hebat.day.fates import Fate
from hebat.day.report import DayLine, IssuerLine, Report
from hebat.day.riders import Riders, taps_of
from hebat.day.source import Input, read_input, write_rows
from hebat.demo import banks
from hebat.demo.day import release_payments
from hebat.demo.partner_banks import OPENING
from hebat.demo.statements import Account
from hebat.fleet import enrol
from hebat.founding import found
from hebat.issuing import Issuer
from hebat.serving import LoopbackServer
from hebat.story_clock import StoryClock
from hebat.wiring import City
from keys.clock import Day, date_of, day_of, moment
from keys.money import Rupiah, Sen, sen_of
from ledger.chart import Code
from ledger.transfer import Flag, Kind
from settlement.view import view

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from hebat.day.trips import Trip
    from hebat.folder import Folder
    from hebat.progress import Progress

FOUNDED_AT: Final = wall_time(3, 30)
LAST_UPLOAD_AT: Final = wall_time(23, 59, 30)
SEED: Final = 2023


class _Run:
    """A city that runs a file, day after day."""

    def __init__(self, source: Input, city: City, clock: StoryClock, riders: Riders) -> None:
        self._source = source
        self._city = city
        self._clock = clock
        self._riders = riders
        self._closings: dict[int, Sen] = dict.fromkeys(town.PARTICIPANTS.banks, OPENING)
        self._sequence = 0
        self._night_of: Day | None = None
        self.matched: Counter[int] = Counter()
        self.breaks = 0

    def day(self, day: date, trips: list[Trip], progress: Progress) -> DayLine:
        """One service day and its night."""
        taps = taps_of(trips, self._source.rulings, self._source.places, self._source.routes)
        with progress.step(f"{day} · {len(trips)} trips", len(taps) + 1) as told:
            self._clock.move_to(moment(datetime.combine(day, FOUNDED_AT)))
            new_cards = self._riders.issue(trips, str(self._source.path))
            for done, tap in enumerate(taps, 1):
                self._riders.tap(tap)
                told(done)
            self._clock.move_to(moment(datetime.combine(day, LAST_UPLOAD_AT)))
            self._riders.upload()
            self.nights_until(day_of(day))
            told(len(taps) + 1)
        rulings, priced = self._source.rulings, self._source.priced
        counted = Counter(rulings[trip.line].fate.value for trip in trips)
        verdicts = Counter(priced.rows[trip.line].verdict.value for trip in trips)
        filed = sum(trip.amount or 0 for trip in trips if rulings[trip.line].fate is Fate.POSTED)
        return DayLine(
            day.isoformat(), len(trips), dict(counted), dict(verdicts), Sen(filed * 100),
            sen_of(priced.charged.get(day_of(day), Rupiah(0))), self._posted(day_of(day)), new_cards, _memory_mib(),
        )  # fmt: skip

    def _posted(self, service: Day) -> Sen:
        """Fares of a service day; what arrived after the cut-off stands in the next business date."""
        total = 0
        for business_date in (service, Day(service + 1)):
            rows = self._city.ledger.rows(business_date)
            mine = (rows["kind"] == Kind.FARE) & (rows["service_day"] == service)
            total += int(rows["amount"][mine].sum())
        return Sen(total)

    def nights_until(self, day: Day) -> None:
        """Run the nights of all business dates up to a day, each once."""
        first = day if self._night_of is None else Day(self._night_of + 1)
        for one in range(first, day + 1):
            self._night(Day(one))
        self._night_of = day

    def _night(self, day: Day) -> None:
        night = self._city.night
        night.settle(day)
        release_payments(self._city, day, self._city.clock.now())
        settled = view(self._city.ledger.database, day)
        items = settled.items if settled else ()
        self._sequence += 1
        inbox = self._city.folder.bank_out / "inbox"
        paths = []
        for code, bank in town.PARTICIPANTS.banks.items():
            movements = banks.movements_of([item for item in items if item.bank == code])
            account = Account(
                f"{code:04d}", bank.account, date_of(day), self._sequence, self._closings[code], movements
            )
            self._closings[code] = account.closing
            paths.append(banks.write(inbox, account, code))
        night.import_statements(day)
        found = night.reconcile(day)
        for path in paths:
            path.unlink()  # the ledger keeps the bytes; an inbox holds what is new
        self.matched.update(match.bank for match in found.matches)
        self.breaks += len(found.breaks)

    def issuers(self) -> tuple[IssuerLine, ...]:
        """What each issuer's cards paid and were loaded with, from the journal."""
        fares: Counter[int] = Counter()
        loads: Counter[int] = Counter()
        for rows in self._city.ledger.row_chunks():
            for kind, side, sums in ((Kind.FARE, "debit", fares), (Kind.LOAD, "credit", loads)):
                real = (rows["kind"] == kind) & (rows["flags"] & Flag.UNPOSTED == 0)
                mine = rows[real & (rows[side] >> 56 == Code.PURSE)]
                issuer = (mine[side] & (1 << 50) - 1) // 10_000_000 % 10_000
                for code in town.PARTICIPANTS.banks:
                    sums[code] += int(mine["amount"][issuer == code].sum())
        return tuple(
            IssuerLine(bank.name, Sen(fares[code]), Sen(loads[code]), self.matched[code])
            for code, bank in sorted(town.PARTICIPANTS.banks.items())
        )


def run(
    stack: ExitStack, folder: Folder, taps: Path, gtfs: Path, wanted: date | None, progress: Progress
) -> Report:
    """Run a file; its city stays open while the stack does. Raises what `read_input` raises, and InputRefused for the folder."""
    started = time.monotonic()
    with progress.step("Reading trips and feed", 1) as told:
        source = read_input(taps, gtfs, wanted)
        told(1)
    first, *_, last = [*source.by_day, *source.by_day]
    clock = StoryClock(moment(datetime.combine(first, FOUNDED_AT)))
    with progress.step("Key ceremony, terminal authority, gates", 1) as told:
        found(folder, clock, "day")
        city = stack.enter_context(City(folder, town.CONFIGURATION, clock))
        first_bundles(city, source.tariff)
        server = stack.enter_context(LoopbackServer(application(city)))
        gates = [
            stack.enter_context(enrol(city, post, server.address, source.tariff)) for post in town.gates()
        ]
        kiosk = stack.enter_context(enrol(city, town.kiosk(), server.address, source.tariff))
        told(1)
    riders = Riders(Issuer(city, SEED), gates, kiosk, clock)
    running = _Run(source, city, clock, riders)
    days = tuple(running.day(day, trips, progress) for day, trips in source.by_day.items())
    # What came in after the last cut-off settles with the next business date.
    clock.move_to(moment(datetime.combine(last + timedelta(days=1), LAST_UPLOAD_AT)))
    running.nights_until(day_of(last + timedelta(days=1)))
    write_rows(folder, source)
    with progress.step("The eleven laws", 1) as told:
        findings = laws.look(laws.Evidence(city, riders.cards, riders.records))
        told(1)
    return Report(
        taps.name, days, running.issuers(), len(riders.cards), source.feed.stops, source.feed.added, riders.records,
        running.breaks, sen_of(source.priced.provisional), city.journeys.held(), tuple((one.law, one.name, one.held, one.figure) for one in findings),
        city.ledger.head().digest.hex(), round(time.monotonic() - started, 1),
    )  # fmt: skip


def _memory_mib() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
