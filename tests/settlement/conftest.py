"""What the settlement tests share: participants, a real ledger on a temporary database, the real inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hebat.schema import TABLES
from ledger.book import Ledger
from settlement.participants import Agent, Bank, City, Merchant, MerchantClass, Operator, Participants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


from tests.settlement.town import (
    BNI,
    BRT,
    CITRA,
    CITY_HALL,
    JATENG,
    KIOSK,
    MANDIRI,
    SHOP,
    STALL,
    Stage,
    open_stage,
)


def participants() -> Participants:
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


@pytest.fixture(scope="session")
def city() -> Participants:
    return participants()


@pytest.fixture
def stage(tmp_path: Path, city: Participants) -> Iterator[Stage]:
    """A real ledger on SQLite after an ordinary day."""
    database = Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}", *TABLES)
    with open_stage(database, tmp_path / "out", city) as opened:
        yield opened
