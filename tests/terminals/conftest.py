"""What the terminals' tests share: vaults of a city, a clock that stands still, a ledger behind HTTP, and a bus at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.terminals.depot import Clock, Ledger, Server, city_vault, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.filevault import FileVault
    from terminals.terminal import Terminal


@pytest.fixture(scope="session")
def shared_vault(tmp_path_factory: pytest.TempPathFactory) -> FileVault:
    """A city's vault that no test changes."""
    return city_vault(tmp_path_factory.mktemp("city"))


@pytest.fixture
def still() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    """A city's vault of a test's own."""
    return city_vault(tmp_path)


@pytest.fixture
def clock() -> Clock:
    """The clock of `bus`."""
    return Clock()


@pytest.fixture
def ledger() -> Ledger:
    """What the far end answers."""
    return Ledger()


@pytest.fixture
def server(ledger: Ledger) -> Iterator[Server]:
    """The far end, behind a socket."""
    made = Server(ledger)
    yield made
    made.close()


@pytest.fixture
def bus(tmp_path: Path, vault: FileVault, clock: Clock, ledger: Ledger, server: Server) -> Iterator[Terminal]:
    """A terminal at work."""
    with terminal(tmp_path, vault, clock, ledger, server.address) as made:
        yield made
