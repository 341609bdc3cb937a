"""Archiving beside a server: whoever reads or posts meanwhile reads and posts as before, and rows leave the database once nobody can ask for them."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from keys.clock import Day
from ledger.archive import emptying, store, taking
from ledger.archive.stored import store as stored
from ledger.book import Ledger
from ledger.chain import store as journal_store
from ledger.errors import ArchiveRefused
from ledger.exports import sending
from ledger.rows import store as rows_store
from ledger.store import Database
from ledger.verify import verify
from tests.ledger.entries import OPERATOR, OTHER_PURSE, SetClock, transfer
from tests.ledger.test_archive import filled, moved, seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.store import Connection

__all__ = ["filled"]


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def archived(url: str) -> int:
    with opened(url) as database, database.transaction() as connection:
        return len(store.read(connection))


def stored_still(url: str) -> list[Day]:
    with opened(url) as database, database.transaction() as connection:
        return [one.span.business_date for one in stored.left(connection)]


def lowest(url: str) -> tuple[int, int]:
    """The first position and the first block that the tables have rows and documents of."""
    with opened(url) as database, database.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT min(position) FROM transfers").scalar_one()
        return rows, connection.exec_driver_sql("SELECT min(block) FROM documents").scalar_one()


def archiving(url: str, until: Day, place: Path, clock: SetClock) -> threading.Thread:
    """Another thread that archives; returns once a date is noted."""
    thread = threading.Thread(target=moved, args=(url, until, place, clock))
    thread.start()
    deadline = time.monotonic() + 60
    while not archived(url):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return thread


def test_dates_go_while_the_ledger_is_open_and_posts(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    with Ledger.open(url, clock) as ledger:
        before, done = ledger.head().position, threading.Event()

        def post() -> None:
            while not done.is_set():
                ledger.post([transfer(OTHER_PURSE, OPERATOR, 1)])

        posting = threading.Thread(target=post)
        posting.start()
        spans = [one.span for one in moved(url, Day(first + 1), tmp_path / "archive", clock)]
        done.set()
        posting.join()
        assert [one.business_date for one in spans] == [first, first + 1]
        assert ledger.rebuild_check() == ledger.head().position > before
    assert stored_still(url) == []
    assert lowest(url) == (spans[-1].last_position + 1, spans[-1].last_block + 1)


@pytest.mark.parametrize("half", [False, True], ids=["all of it", "half of it"])
def test_a_date_is_read_from_its_files_while_the_tables_have_it_still(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, half: bool
) -> None:
    url, first = filled
    before = seen(url, tmp_path / "before")
    with monkeypatch.context() as patch:
        patch.setattr(taking, "empty", lambda _: [])
        (one, _) = moved(url, Day(first + 1), tmp_path / "archive", clock)
    if half:
        with opened(url) as database, database.writing() as connection:
            stored.take_documents_out(connection, 1, one.span.first_block)
            if database.is_sqlite:
                stored.take_rows_out(connection, 1, one.span.first_position)
    assert stored_still(url) == [first, first + 1]
    after = seen(url, tmp_path / "after")
    assert {name for name in before if before[name] != after[name]} == set()
    assert moved(url, Day(first + 1), tmp_path / "archive", clock) == []  # which takes out what was left
    assert stored_still(url) == []
    again = seen(url, tmp_path / "again")
    assert {name for name in before if before[name] != again[name]} == set()


def test_a_row_more_than_the_chains_is_found_among_archived_ones_too(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    moved(url, first, tmp_path / "archive", clock)
    with opened(url) as database:
        assert verify(database).transfers > 0
        with database.writing() as connection:
            newest = connection.exec_driver_sql("SELECT max(business_date) FROM transfers").scalar_one()
            columns = ", ".join(rows_store._COLUMNS)
            values = columns.replace("partition", "63").replace("position", "1")
            connection.exec_driver_sql(
                f"INSERT INTO transfers ({columns}) SELECT {values} FROM transfers "
                f"WHERE business_date = {newest} LIMIT 1"
            )
        with pytest.raises(Exception, match="more is stored than the chain's"):
            verify(database)


def test_who_asked_where_a_date_is_before_it_was_archived_reads_its_rows(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    with opened(url) as database:
        newest = top(database)
        with database.transaction() as connection:
            reached = store.reach(connection)
            other = archiving(url, Day(first + 1), tmp_path / "archive", clock)
            # On PostgreSQL the date's table waits for who asked; SQLite shows each reader what was there when it began.
            other.join(60 if database.is_sqlite else 1)
            assert (reached, other.is_alive()) == (0, not database.is_sqlite)
            assert read_on(connection, newest, reached) == list(range(1, newest + 1))
            assert journal_store.documents_of(connection, 1, 1)[1] == [b"a signed batch"]
        other.join(60)
        assert not other.is_alive()
    assert stored_still(url) == []


def top(database: Database) -> int:
    with database.transaction() as connection:
        return rows_store.top(connection)


def read_on(connection: Connection, newest: int, reached: int) -> list[int]:
    """The positions that somebody reads who asked before how far the archive reaches."""
    chunks = list(rows_store._chunks(connection, 1, newest, reached))
    return [int(position) for chunk in chunks for position in chunk["position"]]


def test_a_reader_that_stays_keeps_its_rows_in_the_database_and_they_go_the_next_time(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "WAIT_SECONDS_MAX", 0.3)
    url, first = filled
    with opened(url) as database:
        newest = top(database)
        with database.transaction() as connection:
            reached = store.reach(connection)
            assert len(moved(url, first, tmp_path / "archive", clock)) == 1
            assert stored_still(url) == ([] if database.is_sqlite else [first])
            assert read_on(connection, newest, reached) == list(range(1, newest + 1))
    assert moved(url, first, tmp_path / "archive", clock) == []
    assert stored_still(url) == []


def test_a_reader_that_holds_the_journal_keeps_no_commit_waiting_behind_an_archiving(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "_all_ended", lambda _: True)
    url, first = filled
    with Ledger.open(url, clock) as ledger, opened(url) as database:
        with database.transaction() as connection:
            rows_store.top(connection)
            other = archiving(url, first, tmp_path / "archive", clock)
            for _ in range(40):  # a second: PostgreSQL's archiving asks for its lock several times
                unit = ledger.unit([transfer(OTHER_PURSE, OPERATOR, 1)])
                assert ledger.writer.submit(unit).result(30)[0].position > 0
                time.sleep(0.025)
            other.join(60 if database.is_sqlite else 0)
            assert other.is_alive() != database.is_sqlite
        other.join(60)
        assert not other.is_alive()
        assert ledger.rebuild_check() == ledger.head().position
    assert stored_still(url) == []


def test_two_who_archive_to_one_place_do_so_one_after_the_other(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    place = tmp_path / "archive"
    place.mkdir()
    lock = os.open(place, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(ArchiveRefused, match="archives to archive already"):
        moved(url, first, place, clock)
    os.close(lock)
    assert len(moved(url, first, place, clock)) == 1


def test_of_two_who_archive_to_two_places_one_is_refused(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, first = filled
    export = sending.export

    def overtaken(*words: object) -> None:
        monkeypatch.setattr(taking, "export", export)
        moved(url, first, tmp_path / "one", clock)
        export(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(taking, "export", overtaken)
    with pytest.raises(ArchiveRefused, match="to another place meanwhile"):
        moved(url, first, tmp_path / "other", clock)
    with opened(url) as database:
        assert verify(database).transfers > 0


def test_dates_behind_which_no_snapshot_or_page_is_stay(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    with Ledger.open(url, clock), opened(url) as database:
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE history_marks SET position = 1, reaching = 1")
        with pytest.raises(ArchiveRefused, match="pages do not reach"):
            moved(url, first, tmp_path / "archive", clock)
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM snapshots")
        with pytest.raises(ArchiveRefused, match="hebat ledger snapshot"):
            moved(url, first, tmp_path / "archive", clock)
    assert archived(url) == 0
