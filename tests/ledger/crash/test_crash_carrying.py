"""An export, an import and an archiving that are killed: nothing half is left, and the next attempt does the whole."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from hebat.schema import TABLES
from keys.clock import Day
from ledger.archive import store as archives
from ledger.archive.taking import archive
from ledger.exports import store
from ledger.store import Database
from ledger.verify import verify
from tests.ledger.test_archive import filled  # noqa: F401  the fixture
from tests.ledger.test_exports import fill, new_ledger, out, taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ledger.crash.nursery import Nursery
    from tests.ledger.entries import SetClock

MOMENTS = 8
ARCHIVING_SECONDS = 1.0
"""About as long as it takes: it cannot be tried first, for it can be done once only."""


def forked(nursery: Nursery, job: str, arguments: dict[str, Any], seconds: float | None = None) -> float:
    """Run a job in a process of its own, killed after so many seconds where any are named; how long it ran."""
    begun = time.monotonic()
    victim = nursery.start(job, **arguments)
    if seconds is None:
        assert victim.wait() == 0
        return time.monotonic() - begun
    time.sleep(seconds)
    victim.signal(signal.SIGKILL)
    assert victim.wait() in {0, -signal.SIGKILL, 1}
    return time.monotonic() - begun


def killed_at_each_moment(
    nursery: Nursery, job: str, arguments: dict[str, Any], look: Callable[[], None], long: float
) -> None:
    """Kill it at moments over its whole length, and look each time."""
    for at in range(MOMENTS):
        forked(nursery, job, arguments, long * (at + 0.5) / MOMENTS)
        look()


def test_a_killed_import_has_taken_in_nothing_or_all(
    nursery: Nursery, sqlite_url: str, clock: SetClock, tmp_path: Path
) -> None:
    whole = out(fill(sqlite_url, clock), tmp_path / "export")
    trials = [new_ledger(tmp_path / f"trial-{at}.db") for at in range(2)]
    long = min(forked(nursery, "take", {"url": one, "folder": str(tmp_path / "export")}) for one in trials)
    target = new_ledger(tmp_path / "target.db")
    states = []

    def look() -> None:
        database = Database(target)
        with database.transaction() as connection:
            empty = store.is_empty(connection, store.table_named(TABLES, "transfers"))
        states.append(empty)
        assert verify(database).transfers == (0 if empty else 8)
        database.close()

    arguments = {"url": target, "folder": str(tmp_path / "export")}
    other = Database(target)
    with other.writing():  # it gets nowhere while somebody else writes, however quick it is
        forked(nursery, "take", arguments, long / 2)
    other.close()
    look()
    assert states == [True]
    killed_at_each_moment(nursery, "take", arguments, look, long)
    assert states == sorted(states, reverse=True)
    if states[-1]:
        taken(target, tmp_path / "export")
    assert out(target, tmp_path / "again") == whole


def test_a_killed_export_is_not_there_and_the_next_is_whole(
    nursery: Nursery, sqlite_url: str, clock: SetClock, tmp_path: Path
) -> None:
    whole = out(fill(sqlite_url, clock), tmp_path / "first")
    folder = tmp_path / "export"

    def look() -> None:
        if folder.exists():  # its name came last: then it is whole
            assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == set(whole)
            folder.rename(tmp_path / f"done-{time.monotonic_ns()}")

    trials = [str(tmp_path / f"trial-{at}") for at in range(2)]
    long = min(forked(nursery, "send", {"url": sqlite_url, "folder": one}) for one in trials)
    killed_at_each_moment(nursery, "send", {"url": sqlite_url, "folder": str(folder)}, look, long)
    assert out(sqlite_url, folder) == whole


def test_a_killed_archiving_leaves_each_date_in_one_place(
    nursery: Nursery,
    filled: tuple[str, Day],  # noqa: F811  the fixture
    clock: SetClock,
    tmp_path: Path,
) -> None:
    url, first = filled
    before, until, steps = out(url, tmp_path / "before"), Day(first + 1), list[int]()

    def look() -> None:
        database = Database(url)
        with database.transaction() as connection:
            steps.append(len(archives.read(connection)))
        assert verify(database).transfers > 0
        database.close()

    arguments = {"url": url, "folder": str(tmp_path / "archive"), "until": until}
    killed_at_each_moment(nursery, "archive", arguments, look, ARCHIVING_SECONDS)
    assert steps == sorted(steps)
    archive(Database(url), until, tmp_path / "archive", clock)
    assert out(url, tmp_path / "after") == before
