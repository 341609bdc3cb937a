"""How long a fare takes through pcscd, beside the bare round trip that it makes twelve times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import pcsc, purse
from card.layout import Journey, TapKind
from card.purse import Change
from card.virtual.vpcd import VpcdSlot
from keys.money import Rupiah
from keys.vault import Role
from tests.benchmarks.cards import AT, city_vault, loaded
from tests.card.pcscd import SLOTS, WAIT_S, Pcscd

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from card.transport import Transport
    from keys.filevault import FileVault

pytest_plugins = ["tests.card.pcscd_fixtures"]

FRAME = bytes.fromhex("ffca000000") + bytes(40)
"""As long as a command of a fare is on the average."""


class Echo:
    """A card that says what it hears: the wire alone."""

    uid = bytes([4, 9, 9, 9, 9, 9, 9])

    def transmit(self, apdu: bytes) -> bytes:
        return self.uid + b"\x90\x00" if apdu[1] == 0xCA and len(apdu) == 5 else apdu


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return city_vault(tmp_path)


def fare(card: Transport, vault: FileVault) -> int:
    open_ = purse.open_card(card, vault, Role.DEBIT)
    open_.stage(Change(TapKind.FARE, Rupiah(1), Journey(), 1, 2, AT))
    return open_.commit().tmc


@pytest.mark.benchmark(group="a fare through pcscd")
def test_bench_fare_through_pcscd(benchmark: BenchmarkFixture, pcscd: Pcscd, vault: FileVault) -> None:
    with VpcdSlot(loaded(vault), pcscd.port), pcsc.wait_for_card(SLOTS[0], WAIT_S) as card:
        assert benchmark(fare, card, vault) > 1


@pytest.mark.benchmark(group="a fare through pcscd")
def test_bench_the_same_fare_in_process(benchmark: BenchmarkFixture, vault: FileVault) -> None:
    assert benchmark(fare, loaded(vault), vault) > 1


@pytest.mark.benchmark(group="a fare through pcscd")
def test_bench_an_echo_through_pcscd(benchmark: BenchmarkFixture, pcscd: Pcscd) -> None:
    with VpcdSlot(Echo(), pcscd.port + 1), pcsc.wait_for_card(SLOTS[1], WAIT_S) as card:
        assert benchmark(card.transmit, FRAME) == FRAME
