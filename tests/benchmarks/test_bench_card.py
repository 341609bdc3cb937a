"""How long a fare takes on the host, both sides in Python, beside the AES that it cannot do without."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card import evidence, purse
from card.layout import Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.virtual import VirtualCard
from keys.money import Rupiah
from keys.vault import Role
from tests.benchmarks.cards import AT, IDENTITY, city_vault, loaded

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from keys.filevault import FileVault

CIPHERS_A_FARE = 24
"""Encryptions and MACs that both sides of a fare compute: the floor that Python's own work stands on."""


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return city_vault(tmp_path)


@pytest.mark.benchmark(group="a fare in process")
def test_bench_fare(benchmark: BenchmarkFixture, vault: FileVault) -> None:
    chip = loaded(vault)

    def fare() -> purse.Evidence:
        open_ = purse.open_card(chip, vault, Role.DEBIT)
        open_.stage(Change(TapKind.FARE, Rupiah(1), Journey(), 1, 2, AT))
        return open_.commit()

    assert benchmark(fare).tmc > 1


@pytest.mark.benchmark(group="a fare in process")
def test_bench_the_ciphers_of_a_fare_alone(benchmark: BenchmarkFixture) -> None:
    def ciphers() -> bytes:
        last = b""
        for _ in range(CIPHERS_A_FARE):
            last = Cipher(AES(bytes(16)), CBC(bytes(16))).encryptor().update(bytes(48))
        return last

    assert len(benchmark(ciphers)) == 48


@pytest.mark.benchmark(group="evidence")
def test_bench_verify_and_parse(benchmark: BenchmarkFixture, vault: FileVault) -> None:
    chip = loaded(vault)
    open_ = purse.open_card(chip, vault, Role.DEBIT)
    open_.stage(Change(TapKind.FARE, Rupiah(3_500), Journey(), 1, 2, AT))
    proof = open_.commit()
    key = vault.card_key(Role.TRANSACTION_MAC, 1, chip.uid)

    def check() -> bool:
        evidence.parse(proof.tmi)
        return evidence.verify(key, proof.uid, proof.tmc, proof.tmi, proof.tmv)

    assert benchmark(check)


@pytest.mark.benchmark(group="personalisation")
def test_bench_personalise(benchmark: BenchmarkFixture, vault: FileVault) -> None:
    chips = iter(VirtualCard(bytes([4]) + number.to_bytes(6, "big")) for number in range(1_000_000))
    benchmark(lambda: personalise(next(chips), vault, IDENTITY))
    assert next(chips).uid[0] == 4


CARDS = 10_000


@pytest.mark.benchmark(group="many cards at once")
def test_bench_memory_of_many_cards(benchmark: BenchmarkFixture, vault: FileVault) -> None:
    """Ten thousand personalised cards in one process: what one more takes, and how long it takes to make them from a saved one."""
    first = VirtualCard(bytes([4]) + bytes(6))
    personalise(first, vault, IDENTITY)
    saved = first.save()

    def many() -> list[VirtualCard]:
        return [VirtualCard.load(saved) for _ in range(CARDS)]

    before = resident_bytes()
    cards = benchmark.pedantic(many, rounds=1)  # type: ignore[no-untyped-call]  # its signature has none
    benchmark.extra_info["bytes_a_card"] = (resident_bytes() - before) // CARDS
    assert len(cards) == CARDS
    assert purse.seen_now(cards[-1]).tmc == 0


def resident_bytes() -> int:
    """What of this process is in memory now (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
