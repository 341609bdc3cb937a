"""What the settlement tests share: participants, a real ledger on a temporary database, the real inputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hebat.schema import TABLES
from settlement.participants import Agent, Bank, City, Merchant, MerchantClass, Operator, Participants
from settlement.staff import codes
from tests.empty import new_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.partner import PartnerVault
    from ledger.cardholder.sealing import Sealing

from tests.settlement.banked import Banked, make_vault
from tests.settlement.saved import ALL, CODE, KSH, Saved, make_sealing
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


@pytest.fixture(autouse=True, scope="module")
def cheap_recovery_codes() -> Iterator[None]:
    """Recovery codes of all whom tests sign in are hashed at a small cost; `test_staff_recovery` looks at the real one."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(codes, "RECOVERY_COST", 2)
        yield


@pytest.fixture(scope="session")
def city() -> Participants:
    return participants()


@pytest.fixture
def stage(tmp_path: Path, city: Participants) -> Iterator[Stage]:
    """A real ledger on SQLite after an ordinary day."""
    database = new_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", *TABLES)
    with open_stage(database, tmp_path / "out", city) as opened:
        yield opened


@pytest.fixture(scope="session")
def saving_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[PartnerVault, Sealing]:
    """Keys towards a bank, and those that seal what is kept of it."""
    folder = tmp_path_factory.mktemp("keys")
    return make_vault(folder), make_sealing(folder)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between tries at a bank, noted instead of waited."""
    seconds: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture(scope="session")
def vault(saving_keys: tuple[PartnerVault, Sealing]) -> PartnerVault:
    """Keys towards a bank."""
    return saving_keys[0]


@pytest.fixture
def banked(tmp_path: Path, vault: PartnerVault) -> Iterator[Banked]:
    """A wallet, a desk of payments, and a bank."""
    made = Banked.make(tmp_path, vault)
    yield made
    made.close()


@pytest.fixture
def saved(tmp_path: Path, saving_keys: tuple[PartnerVault, Sealing]) -> Iterator[Saved]:
    """A card with a wallet, and a bank."""
    made = Saved.make(tmp_path, *saving_keys)
    yield made
    made.close()


@pytest.fixture
def linked(saved: Saved) -> Saved:
    """The same, with an account linked for everything."""
    saved.desk.link(KSH, "bni", CODE, ALL)
    return saved
