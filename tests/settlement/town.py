"""A small town for the settlement tests: parties, cards, taps as transfers, and a ledger's stage to run nights on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING

import numpy as np

from keys.clock import CITY, Day, UnixMs, day_of, moment
from keys.money import Rupiah, Sen, sen_of
from ledger.book import Ledger
from ledger.chart import AccountId, Code, Partition, account_id, purse, split
from ledger.rows.moves import Moves
from ledger.transfer import ROW, Flag, Kind, Transfer
from settlement.fees import FeeTable, qris_rates
from settlement.night.running import Night
from settlement.positions.summing import Summing
from settlement.store import payment_files_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from ledger.store import Database
    from settlement.participants import Participants
    from settlement.positions.model import Sums

DATE = date(2026, 11, 18)
DAY = day_of(DATE)
BNI, JATENG, MANDIRI = 9, 113, 8
BRT, CITRA = 12, 14  # operators
STALL, SHOP = 501, 502  # merchants
KIOSK, CITY_HALL = 701, 1
MAKER, CHECKER = "maker", "checker"


def card(issuer: int, serial: int) -> int:
    """A card number of 16 digits; the ledger looks at the first 15 only."""
    return (9360_0000_0000_000 + issuer * 10_000_000 + serial) * 10


@dataclass(slots=True)
class Taps:
    """Builds the transfers that taps become, for journal rows or for a real ledger."""

    day: Day = DAY
    made: list[Transfer] = field(default_factory=list)

    def add(
        self, debit: AccountId, credit: AccountId, amount: int, kind: Kind, flags: Flag = Flag.NONE
    ) -> None:
        self.made.append(Transfer(debit, credit, Sen(amount), kind, UnixMs(0), self.day, flags))

    def beside(self, of: AccountId, code: Code, number: int) -> AccountId:
        return account_id(code, split(of).partition, number)

    def load(self, issuer: int, serial: int, rupiah: int, agent: int = KIOSK) -> None:
        to = purse(card(issuer, serial))
        self.add(self.beside(to, Code.AGENT_CASH, agent), to, sen_of(Rupiah(rupiah)), Kind.LOAD)

    def fare(self, issuer: int, serial: int, rupiah: int, subsidy: int = 0, operator: int = BRT) -> None:
        of = purse(card(issuer, serial))
        payable = self.beside(of, Code.OPERATOR_PAYABLE, operator)
        linked = Flag.LINKED if subsidy else Flag.NONE
        self.add(of, payable, sen_of(Rupiah(rupiah)), Kind.FARE, linked)
        if subsidy:
            city = self.beside(of, Code.SUBSIDY_RECEIVABLE, CITY_HALL)
            self.add(city, payable, sen_of(Rupiah(subsidy)), Kind.SUBSIDY)

    def sale(self, issuer: int, serial: int, rupiah: int, merchant: int = SHOP) -> None:
        of = purse(card(issuer, serial))
        self.add(of, self.beside(of, Code.MERCHANT_PAYABLE, merchant), sen_of(Rupiah(rupiah)), Kind.SALE)

    def refund(self, issuer: int, serial: int, rupiah: int, merchant: int = SHOP) -> None:
        of = purse(card(issuer, serial))
        self.add(self.beside(of, Code.MERCHANT_PAYABLE, merchant), of, sen_of(Rupiah(rupiah)), Kind.REFUND)

    def other(self, issuer: int, partition: int, rupiah: int, operator: int = BRT) -> None:
        """A card whose books its issuer keeps itself."""
        owed = account_id(Code.ISSUER_RECEIVABLE, Partition(partition), issuer)
        self.add(owed, self.beside(owed, Code.OPERATOR_PAYABLE, operator), sen_of(Rupiah(rupiah)), Kind.FARE)

    def ordinary_day(self) -> None:
        """Cards of three issuers load, ride and buy; one sale is refunded."""
        for serial in range(1, 40):
            issuer = (BNI, JATENG, MANDIRI)[serial % 3]
            self.load(issuer, serial, 50_000)
            self.fare(issuer, serial, 3_500, operator=(BRT, CITRA)[serial % 2])
            if serial % 4 == 0:
                self.fare(issuer, serial, 1_000, subsidy=2_500)
            if serial % 5 == 0:
                self.sale(issuer, serial, 12_345, merchant=(SHOP, STALL)[serial % 2])
        self.refund(BNI, 30, 12_345)

    def rows(self) -> npt.NDArray[np.void]:
        """Journal rows, as if all were posted."""
        return rows_of(self.made, self.day)


def rows_of(transfers: list[Transfer], day: Day) -> npt.NDArray[np.void]:
    """Transfers as posted journal rows of a business date."""
    made = np.zeros(len(transfers), ROW)
    for position, (row, transfer) in enumerate(zip(made, transfers, strict=True), start=1):
        row["position"], row["business_date"] = position, day
        row["partition"] = split(transfer.debit).partition
        for name in ("debit", "credit", "amount", "kind", "flags", "service_day"):
            row[name] = int(getattr(transfer, name))
    return made


def sums_of(
    rows: npt.NDArray[np.void], city: Participants, fees: FeeTable | None = None, chunk: int = 1_000
) -> Sums:
    """What journal rows come to, taken in chunks."""
    summing = Summing(city, fees or qris_rates(), DAY)
    for start in range(0, len(rows), chunk):
        summing.take(Moves.of_rows(rows[start : start + chunk]))
    return summing.done()


class StoppedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = moment(datetime.combine(DATE, time(12), CITY))

    def now(self) -> UnixMs:
        return self.at


def night_clock() -> StoppedClock:
    """A clock just past the cut-off."""
    clock = StoppedClock()
    clock.at = moment(datetime.combine(DATE, time(23, 5), CITY))
    return clock


@dataclass(slots=True)
class Stage:
    """A ledger with one ordinary day in it, and a night to run."""

    ledger: Ledger
    clock: StoppedClock
    night: Night
    out: Path
    participants: Participants

    @property
    def inbox(self) -> Path:
        return self.out / "inbox"

    def release(self, day: Day = DAY) -> None:
        """Two people let a window's payment files go."""
        with self.ledger.database.transaction() as connection:
            files = payment_files_of(connection, day)
        for file in files:
            self.night.payments.make(day, file.bank, by=MAKER, at=self.clock.at)
            self.night.payments.release(day, file.bank, by=CHECKER, at=self.clock.at)

    def put(self, name: str, content: bytes) -> None:
        self.inbox.mkdir(parents=True, exist_ok=True)
        (self.inbox / name).write_bytes(content)


@contextmanager
def open_stage(database: Database, out: Path, city: Participants) -> Iterator[Stage]:
    """An ordinary day in an empty ledger, its clock just past the cut-off."""
    clock = StoppedClock()
    with Ledger.open(database, clock) as ledger:
        taps = Taps()
        taps.ordinary_day()
        ledger.post(taps.made)
        clock.at = moment(datetime.combine(DATE, time(23, 5), CITY))
        yield Stage(ledger, clock, Night(ledger, city, qris_rates(), out), out, city)
