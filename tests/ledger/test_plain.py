"""Connections of the writer: looked at and not asked, and replaced where the other end hung up before it costs a commit; those of readers stay open."""

from __future__ import annotations

import fcntl
import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg2
import pytest

from ledger import plain
from ledger.store import READING_MAX, Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HIGH = 1_500
"""A descriptor that `select` could not take."""


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2 * HIGH), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_an_end_that_hung_up_is_seen_whatever_the_descriptors_number() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs), socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD, HIGH)) as high:
        line = SimpleNamespace(closed=False, fileno=high.fileno)
        assert line.fileno() >= HIGH
        assert not plain.is_cut(line)
        theirs.close()
        assert plain.is_cut(line)
    assert plain.is_cut(SimpleNamespace(closed=True))


def test_a_connection_that_was_cut_while_it_rested_is_replaced_for_the_next_commit(postgres: Path) -> None:
    database = Database(f"postgresql+psycopg2://postgres@/postgres?host={postgres}")
    query = "SELECT pg_backend_pid()"
    with database.writing() as connection:
        [(first,)] = plain.asked(connection, query)
    with database.writing() as connection:
        assert plain.asked(connection, query) == [(first,)]
    with (
        closing(psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")) as other,
        other.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    with database.writing() as connection:
        [(second,)] = plain.asked(connection, query)
    assert second != first
    database.close()


def test_readers_that_come_at_once_again_and_again_do_so_over_connections_that_stay_open(
    postgres: Path,
) -> None:
    database = Database(f"postgresql+psycopg2://postgres@/postgres?host={postgres}")
    together = threading.Barrier(READING_MAX)

    def read(_turn: int) -> int:
        with database.transaction() as connection:
            together.wait(20)  # all of them hold one now
            [(backend,)] = plain.asked(connection, "SELECT pg_backend_pid()")
            return int(backend)

    with ThreadPoolExecutor(READING_MAX) as readers:
        turns = [set(readers.map(read, range(READING_MAX))) for _ in range(3)]
    database.close()
    assert len(turns[0]) == READING_MAX
    assert turns[0] == turns[1] == turns[2]


def test_values_go_into_a_statement_as_the_driver_puts_them(postgres: Path) -> None:
    database = Database(f"postgresql+psycopg2://postgres@/postgres?host={postgres}")
    with database.transaction() as connection:
        assert plain.asked(connection, "SELECT %s, 1 WHERE 'a' = ANY(%s)", ("it's %", ["a"])) == [
            ("it's %", 1)
        ]
        assert plain.asked(connection, "SELECT '100%'") == [("100%",)]
    database.close()
