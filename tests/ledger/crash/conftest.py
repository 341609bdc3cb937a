"""What the crash tests share: servers to kill, a PostgreSQL to kill, and the count of kills that a run ends with."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.ledger.crash.cluster import Cluster
from tests.ledger.crash.nursery import Nursery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLS = "kills"


def kills(share: float) -> int:
    """A test's share of all kills of a run: HEBAT_KILLS, 20 where nothing is said."""
    return max(1, round(share * int(os.environ.get("HEBAT_KILLS", "20"))))


@pytest.fixture(scope="session")
def all_nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


@pytest.fixture
def nursery(all_nursery: Nursery) -> Iterator[Nursery]:
    """Forks servers; what a test leaves running is killed after it."""
    yield all_nursery
    all_nursery.clear()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL with fsync on."""
    with Cluster() as running:
        yield running


@pytest.fixture
def dice() -> random.Random:
    """Moments at random, the same in every run: HEBAT_SEED draws others."""
    return random.Random(int(os.environ.get("HEBAT_SEED", "5")))


@pytest.fixture
def killed(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Say how many kills a test made."""
    return lambda count: record_property(KILLS, count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many kills there were."""
    passed = terminalreporter.getreports("passed")
    made = [value for report in passed for name, value in report.user_properties if name == KILLS]
    if made:
        terminalreporter.write_line(f"{sum(made)} kills under load; the books were whole after each")
