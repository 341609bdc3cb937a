"""What the settlement tests share: participants, journal rows, a real ledger on a temporary database, bank statements."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from keys.clock import CITY, Day, UnixMs, day_of, moment
from keys.money import Rupiah, Sen, sen_of
from ledger.book import Ledger
from ledger.chart import AccountId, Code, account_id, purse, split
from ledger.store import Database
from ledger.transfer import ROW, Flag, Kind, Transfer
from settlement import tables
from settlement.fees import qris_rates
from settlement.night import Night
from settlement.participants import Agent, Bank, City, Merchant, MerchantClass, Operator, Participants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.positions import Columns

DATE = date(2026, 11, 18)
DAY = day_of(DATE)
BNI, JATENG, MANDIRI = 9, 113, 8
BRT, CITRA = 12, 14  # operators
STALL, SHOP = 501, 502  # merchants
KIOSK, CITY_HALL = 701, 1


def shared_data() -> Path | None:
    """The folder of real inputs beside the checkout (or where HEBAT_SHARED points), if it is there."""
    folder = Path(os.environ.get("HEBAT_SHARED", Path(__file__).parents[3] / "shared")) / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data() -> Path:
    """The real inputs; a test that needs them says so when they are absent."""
    folder = shared_data()
    if folder is None:
        pytest.skip("real inputs are absent: ../shared/data is not there and HEBAT_SHARED points nowhere")
    return folder


@pytest.fixture(scope="session")
def city() -> Participants:
    """Three banks, two operators, two merchants, a load agent, and the city."""
    return Participants(
        banks=[
            Bank(BNI, "Bank Negara Indonesia", "BNINIDJA", "0099001122"),
            Bank(JATENG, "Bank Jateng", "PDJTIDJ1", "1130014455"),
            Bank(MANDIRI, "Bank Mandiri", "BMRIIDJA", "1360007788"),
        ],
        operators=[
            Operator(BRT, "BLU Trans Semarang", JATENG, "1013009001"),
            Operator(CITRA, "PT Citra Armada", BNI, "0088112233"),
        ],
        merchants=[
            Merchant(STALL, "Lumpia Gang Lombok", BNI, "0077001144", MerchantClass.UMI),
            Merchant(SHOP, "Toko Oen", MANDIRI, "1360011122", MerchantClass.UKE),
        ],
        agents=[Agent(KIOSK, "Kios Simpang Lima", JATENG, "1013007777")],
        city=City(CITY_HALL, "Pemerintah Kota Semarang", JATENG, "1013000001"),
    )


def card(issuer: int, serial: int) -> int:
    """A card number of 16 digits; the ledger looks at the first 15 only."""
    return (9360_0000_0000_000 + issuer * 10_000_000 + serial) * 10


@dataclass(slots=True)
class Taps:
    """Builds the transfers that taps become (DESIGN section 6), for journal rows or for a real ledger."""

    day: Day = DAY
    made: list[Transfer] = field(default_factory=list)

    def add(self, debit: AccountId, credit: AccountId, amount: int, kind: Kind, flags: Flag = Flag.NONE) -> None:
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

    def rows(self) -> Columns:
        """Journal rows, as if all were posted."""
        return rows_of(self.made, self.day)


def rows_of(transfers: list[Transfer], day: Day) -> Columns:
    """Transfers as posted journal rows of a business date."""
    made = np.zeros(len(transfers), ROW)
    for position, (row, transfer) in enumerate(zip(made, transfers, strict=True), start=1):
        row["position"], row["business_date"] = position, day
        row["partition"] = split(transfer.debit).partition
        for name in ("debit", "credit", "amount", "kind", "flags", "service_day"):
            row[name] = int(getattr(transfer, name))
    return made


class StoppedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = moment(datetime.combine(DATE, time(12), CITY))

    def now(self) -> UnixMs:
        return self.at


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

    def put(self, name: str, content: bytes) -> None:
        self.inbox.mkdir(parents=True, exist_ok=True)
        (self.inbox / name).write_bytes(content)


@pytest.fixture
def stage(tmp_path: Path, city: Participants) -> Iterator[Stage]:
    """A real ledger on SQLite after an ordinary day."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    database.create(tables.metadata)
    clock = StoppedClock()
    with Ledger.open(database, clock) as ledger:
        taps = Taps()
        taps.ordinary_day()
        ledger.post(taps.made)
        clock.at = moment(datetime.combine(DATE, time(23, 5), CITY))
        out = tmp_path / "out"
        yield Stage(ledger, clock, Night(ledger, city, qris_rates(), out), out, city)
