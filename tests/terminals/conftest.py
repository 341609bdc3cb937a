"""What the terminals' tests share: a vault of the city, made once, and a clock that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.terminals.depot import Clock, city_vault

if TYPE_CHECKING:
    from keys.filevault import FileVault


@pytest.fixture(scope="session")
def shared_vault(tmp_path_factory: pytest.TempPathFactory) -> FileVault:
    """A city's vault that no test changes."""
    return city_vault(tmp_path_factory.mktemp("city"))


@pytest.fixture
def still() -> Clock:
    """A clock that a test moves."""
    return Clock()
