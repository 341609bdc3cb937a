"""Nights that are killed: at every durable effect, before it and behind it, by SIGKILL, in a process of their own.

Run as `python -m tests.settlement.nights.killing URL FOLDER POINTS`: a process that has everything loaded, and forks each night. It says
on one line of JSON what it found: how many points there are, at which it killed, and which of them ended otherwise than a night
that nobody killed. POINTS is "all", or "every N".
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg2
import sqlalchemy as sa
import structlog

from hebat.schema import TABLES
from ledger import engine, tables
from ledger.book import Ledger
from ledger.store import Database
from settlement.fees import qris_rates
from settlement.night.running import Night
from settlement.store import items_of
from tests.settlement.conftest import participants
from tests.settlement.statements_of import statements_of
from tests.settlement.town import DAY, StoppedClock, Taps, night_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_JOURNAL: Final = (tables.transfers, tables.blocks, tables.documents, tables.windows)


class Points:
    """Counts durable effects, and ends this process at one of them."""

    def __init__(self, fatal: int = 0) -> None:
        self.passed = 0
        self._fatal = fatal

    def reached(self) -> None:
        """One more point; the process does not survive the fatal one."""
        self.passed += 1
        if self.passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Count commits of the writer and what makes files durable, before and behind each."""
        writing, fsync, replace = Database.writing, os.fsync, Path.replace

        @contextmanager
        def watched(database: Database) -> Iterator[Any]:
            with writing(database) as connection:
                yield connection
                self.reached()
            self.reached()

        def synced(file: int) -> None:
            self.reached()
            fsync(file)
            self.reached()

        def replaced(path: Path, target: Path) -> Path:
            self.reached()
            moved = replace(path, target)
            self.reached()
            return moved

        Database.writing = watched  # type: ignore[method-assign, assignment]
        os.fsync = synced  # type: ignore[assignment]
        Path.replace = replaced  # type: ignore[method-assign,assignment]


def forked(work: Callable[[], None]) -> int:
    """Do work in a process of its own; how it ended (the signal's number below zero)."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Place:
    """A ledger's database and folder, to be copied for each night."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = sa.make_url(url)
        self.folder = folder

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def copy(self, name: str) -> Place:
        """Another one that holds the same."""
        folder = self.folder.parent / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        if self.is_sqlite:
            return Place(f"sqlite:///{folder / 'ledger.db'}", folder)
        database = f"{self.url.database}_{name}"
        self._administer(f"DROP DATABASE IF EXISTS {database}")
        self._administer(f"CREATE DATABASE {database} TEMPLATE {self.url.database}")
        return Place(self.url.set(database=database).render_as_string(hide_password=False), folder)

    def _administer(self, statement: str) -> None:
        host = str(self.url.query["host"])
        connection = psycopg2.connect(host=host, user="postgres", dbname="postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    @property
    def text(self) -> str:
        return self.url.render_as_string(hide_password=False)

    def night(self, fatal: int = 0) -> int:
        """A whole night in this process, which ends at a fatal point; how many points it passed."""
        points = Points(fatal)
        points.watch()
        with Ledger.open(self.text, night_clock()) as ledger:
            before = points.passed
            Night(ledger, participants(), qris_rates(), self.folder / "banks").run(DAY)
            return points.passed - before

    def result(self) -> dict[str, str]:
        """Digests of everything that a night leaves: the journal, settlement's tables, and files."""
        found = {}
        database = Database(self.text)
        with database.transaction() as connection:
            for table in (*_JOURNAL, *(table for one in TABLES for table in one.sorted_tables)):
                rows = sorted(map(repr, map(_plain, connection.execute(sa.select(table)))))
                found[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        database.close()
        for path in sorted((self.folder / "banks").rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def prepare(place: Place) -> None:
    """An ordinary day with late taps behind it, and the statements that banks will have written by the time of the night."""
    clock = StoppedClock()
    with Ledger.open(place.text, clock) as ledger:
        taps = Taps()
        taps.ordinary_day()
        ledger.post(taps.made)


def put_statements(template: Place) -> None:
    """Banks write what the night will make them expect: a night on a copy says what that is."""
    trial = template.copy("trial")
    trial.night()
    database = Database(trial.text)
    with database.transaction() as connection:
        told = statements_of(items_of(connection, DAY), participants())
    database.close()
    inbox = template.folder / "banks" / "inbox"
    inbox.mkdir(parents=True)
    for name, content in told.items():
        (inbox / name).write_bytes(content)


def main() -> None:
    """Kill a night at each point, resume it, and compare."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    url, folder, points = sys.argv[1:]
    engine.warm()
    template = Place(url, Path(folder))
    assert forked(lambda: prepare(template)) == 0
    assert forked(lambda: put_statements(template)) == 0
    whole = template.copy("whole")
    count = _counted(whole)
    wanted = whole.result()
    step = 1 if points == "all" else int(points.split()[1])
    at = range(1, count + 1, step)
    wrong = {point: said for point in at if (said := _killed(template, point, wanted))}
    sys.stdout.write(json.dumps({"points": count, "kills": len(at), "wrong": wrong}) + "\n")


def _counted(place: Place) -> int:
    """How many points a night has that nobody kills."""
    reading, writing = os.pipe()

    def work() -> None:
        os.write(writing, str(place.night()).encode())

    assert forked(work) == 0
    return int(os.read(reading, 100))


def _killed(template: Place, point: int, wanted: dict[str, str]) -> str:
    """Kill a night at a point and run it again; what is otherwise than it would have been, "" for nothing."""
    place = template.copy("killed")
    ended = forked(lambda: _night(place, point))
    if ended != -signal.SIGKILL:
        return f"ended with {ended}, not by the signal"
    if (ended := forked(lambda: _night(place, 0))) != 0:
        return f"the resumed night ended with {ended}"
    found = place.result()
    return ", ".join(
        sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    )


def _night(place: Place, fatal: int) -> None:
    place.night(fatal)


if __name__ == "__main__":
    main()
