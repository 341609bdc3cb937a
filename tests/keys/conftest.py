"""What the key tests share: both kinds of vault, empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.filevault import FileVault
from tests.keys.tokens import PIN, SoftTokens, shared_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.vault import KeyVault

COST = 16


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> SoftTokens:
    """This run's SoftHSM2."""
    return shared_tokens(tmp_path_factory)


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
