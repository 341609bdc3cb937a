"""What the card tests share: a vault and cards of the city."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.personalise import personalise
from card.virtual import VirtualCard
from keys.filevault import FileVault
from keys.vault import Role
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> FileVault:
    """A city's vault with all roles."""
    made = FileVault.create(tmp_path_factory.mktemp("vault") / "city.vault", "x", 16)
    for number, role in enumerate(Role):
        made.add_master(role, 1, bytes([number]) * 16)
    return made


@pytest.fixture
def new_card(vault: FileVault) -> Callable[..., VirtualCard]:
    """Personalises cards; the UID's last byte is what is asked for."""

    def make(serial: int = 1) -> VirtualCard:
        chip = VirtualCard(bytes([4, 1, 2, 3, 4, 5, serial]))
        personalise(chip, vault, IDENTITY)
        return chip

    return make


@pytest.fixture
def card(new_card: Callable[..., VirtualCard]) -> VirtualCard:
    """One personalised card with an empty purse."""
    return new_card()
