"""What the key tests share: both kinds of vault, empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.filevault import FileVault
from tests.keys.tokens import PIN, SoftTokens, module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.vault import KeyVault

COST = 16


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> SoftTokens:
    """This run's SoftHSM2."""
    if module() is None:
        pytest.skip("it needs the Debian package softhsm2 (keys in a PKCS#11 token)")
    pytest.importorskip("pkcs11", reason="it needs the extra hsm (keys in a PKCS#11 token)")
    return SoftTokens(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(params=["file", "token"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyVault]:
    """An empty vault of each kind."""
    if request.param == "file":
        yield FileVault.create(tmp_path / "city.vault", "x", COST, "Semarang")
        return
    held: SoftTokens = request.getfixturevalue("tokens")
    from keys.hsmvault import HsmVault  # noqa: PLC0415  the extra hsm

    with HsmVault.create(held.module, held.new(), PIN, "Semarang") as made:
        yield made
