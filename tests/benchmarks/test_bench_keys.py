"""MACs and card keys a second from a file and from a token, beside OpenSSL's own MAC in the same run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from keys.filevault import FileVault
from keys.vault import KeyName, Purpose, Role
from tests.keys.tokens import PIN, SoftTokens, module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from keys.vault import KeyVault

MESSAGE = bytes(32)
SEAL = KeyName("seal", 1)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> SoftTokens:
    if module() is None:
        pytest.skip("it needs the Debian package softhsm2 (keys in a PKCS#11 token)")
    pytest.importorskip("pkcs11", reason="it needs the extra hsm (keys in a PKCS#11 token)")
    return SoftTokens(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(params=["file", "token"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyVault]:
    if request.param == "file":
        yield filled(FileVault.create(tmp_path / "city.vault", "x", 16))
        return
    held: SoftTokens = request.getfixturevalue("tokens")
    from keys.hsmvault import HsmVault  # noqa: PLC0415  the extra hsm

    with HsmVault.create(held.module, held.new(), PIN) as made:
        yield filled(made)


def filled(vault: KeyVault) -> KeyVault:
    vault.add_key(SEAL, Purpose.MAC, bytes(16))
    vault.add_master(Role.DEBIT, 1, bytes(16))
    return vault


@pytest.mark.benchmark(group="one AES-CMAC of 32 bytes")
def test_bench_openssl_cmac(benchmark: BenchmarkFixture) -> None:
    def mac() -> bytes:
        made = CMAC(AES(bytes(16)))
        made.update(MESSAGE)
        return made.finalize()

    assert len(benchmark(mac)) == 16


@pytest.mark.benchmark(group="one AES-CMAC of 32 bytes")
def test_bench_vault_cmac(benchmark: BenchmarkFixture, vault: KeyVault) -> None:
    assert len(benchmark(lambda: vault.cmac(SEAL, MESSAGE))) == 16


@pytest.mark.benchmark(group="a new card's key, derived and used once")
def test_bench_derive_and_use(benchmark: BenchmarkFixture, vault: KeyVault) -> None:
    numbers = itertools.count()
    mac = benchmark(lambda: vault.card_key(Role.DEBIT, 1, next(numbers).to_bytes(7, "big")).cmac(MESSAGE))
    assert len(mac) == 16
