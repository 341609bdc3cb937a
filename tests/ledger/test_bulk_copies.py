"""COPY after COPY in one go: what PostgreSQL gets, what an error leaves behind, and what becomes of a connection that breaks off."""

from __future__ import annotations

import threading
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.bulk import binary, copies
from ledger.bulk.copies import Copies, parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TOLD = "COPY told FROM STDIN (FORMAT BINARY)"


@pytest.fixture
def driver(postgres: Path) -> Iterator[Any]:
    """A connection with an empty table whose first column is unique."""
    with closing(psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")) as connection:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE told (number integer UNIQUE, large bigint, raw bytea, text text)"
            )
        connection.commit()
        yield connection


def send(driver: Any, *rows: Sequence[Any], cuts: Sequence[int] = (0,)) -> None:
    """Send rows, a COPY from each of some rows on."""
    number, large, raw, text = zip(*rows, strict=True)
    fields = [
        binary.integers(np.array(number, np.int64), 4),
        binary.integers(np.array(large, np.int64), 8),
        binary.octets(raw),
        binary.texts(text),
    ]
    octets, starts = binary.tuples(fields, np.arange(len(rows)))
    together = Copies()
    together.add(TOLD, octets, starts[list(cuts)])
    together.send(SimpleNamespace(driver_connection=driver))


def found(driver: Any, query: str = "SELECT number, large, raw, text FROM told ORDER BY number") -> list[Any]:
    with driver.cursor() as cursor:
        cursor.execute(query)
        return [
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in cursor
        ]


def row(number: int) -> tuple[int, int, bytes, str]:
    return number, -number, b"%d" % number, str(number)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rows=st.lists(st.tuples(st.integers(-(1 << 31), (1 << 31) - 1), INT64, st.binary(max_size=40), TEXT),
                  min_size=1, max_size=20, unique_by=lambda one: one[0]),
    encrypted=st.booleans(),
)  # fmt: skip
def test_postgresql_reads_what_was_meant_however_it_is_cut(
    driver: Any, rows: list[Any], encrypted: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if encrypted:
            patch.setattr(copies, "_is_encrypted", lambda _driver: True)
        send(driver, *rows, cuts=range(len(rows)))
    assert found(driver) == sorted(rows, key=lambda one: one[0])
    driver.rollback()
    assert found(driver) == []  # all within the driver's own transaction


def test_thousands_of_them_are_more_than_either_side_holds_for_the_other(driver: Any) -> None:
    rows = [(number, 0, bytes(2_000), "x") for number in range(4_000)]
    send(driver, *rows, cuts=range(4_000))
    assert found(driver, "SELECT count(*), sum(length(raw)) FROM told") == [(4_000, 8_000_000)]


def test_an_error_in_the_middle_is_the_drivers_own_and_leaves_nothing(driver: Any) -> None:
    rows = [row(number) for number in (1, 2, 2, 3, 4)]
    with pytest.raises(psycopg2.errors.UniqueViolation, match=r"told_number_key(.|\n)*\(number\)=\(2\)"):
        send(driver, *rows, cuts=range(5))
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        send(driver, row(9))
    driver.rollback()
    send(driver, row(7))
    assert [one[0] for one in found(driver)] == [7]


def test_an_error_with_megabytes_behind_it_leaves_a_connection_that_goes_on(driver: Any) -> None:
    rows = [row(1), row(1), *((number, 0, bytes(4_000), "x") for number in range(2, 4_000))]
    ended = threading.Event()

    def refused() -> None:
        with pytest.raises(psycopg2.errors.UniqueViolation):
            send(driver, *rows, cuts=range(0, len(rows), 100))
        driver.rollback()
        ended.set()

    threading.Thread(target=refused, daemon=True).start()
    assert ended.wait(60), "the driver waits for an answer that never comes"
    send(driver, row(7))
    assert [one[0] for one in found(driver)] == [7]


def test_a_server_that_ends_the_connection_is_said_to_have(driver: Any, postgres: Path) -> None:
    with closing(psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")) as other:
        found(driver, "SELECT 1")
        found(other, f"SELECT pg_terminate_backend({driver.get_backend_pid()}, 5000)")
    with pytest.raises(psycopg2.OperationalError, match=r"terminating connection|closed the connection|cut"):
        send(driver, *(row(number) for number in range(5_000)), cuts=range(5_000))
    with pytest.raises(psycopg2.Error):
        driver.commit()


def test_rows_are_cut_by_partition_and_in_pieces_that_cost_little() -> None:
    partitions = np.array([5] * 400 + [0, 63] + [5] * 3, np.int64)
    order, cuts = parts(partitions)
    assert partitions[order].tolist() == [0, *[5] * 403, 63]
    assert order[1:404].tolist() == [*range(400), 402, 403, 404]
    assert cuts.tolist() == [0, 1, 193, 385, 404]
    assert [found.tolist() for found in parts(np.zeros(1, np.int64))] == [[0], [0]]
