"""A closed window is kept by the database itself, on both databases: whoever gets at it with SQL is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from keys.clock import Day
from ledger.closing.chain import check_day
from ledger.store import Database
from ledger.tables import transfers
from ledger.verify import verify
from tests.ledger.entries import transfer
from tests.ledger.unguarded import unguard

if TYPE_CHECKING:
    from ledger.book import Ledger

CLOSED = "position = 1"
OPEN = "position = 3"


@pytest.fixture
def closed(ledger: Ledger) -> Ledger:
    """A ledger with two transfers in a closed window, and one in the open one."""
    ledger.post([transfer(amount=1), transfer(amount=2)], document=b"signed")
    ledger.close_window(ledger.open_window())
    ledger.post([transfer(amount=3)])
    return ledger


def change(ledger: Ledger, statement: str) -> int:
    with ledger.database.engine.begin() as connection:
        return connection.execute(sa.text(statement)).rowcount


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE transfers SET amount = amount + 1 WHERE {CLOSED}",
        f"DELETE FROM transfers WHERE {CLOSED}",
        "UPDATE windows SET last_position = 1",
        "DELETE FROM windows",
        "UPDATE blocks SET received_at = 1 WHERE block = 1",
        "DELETE FROM blocks WHERE block = 1",
        "INSERT INTO blocks SELECT partition, 99, 99, 1, received_at, business_date, documents, previous, digest FROM blocks WHERE block = 1",
        "UPDATE documents SET block = 9 WHERE block = 1",
        "DELETE FROM documents WHERE block = 1",
    ],
)
def test_law_09_the_database_refuses_to_change_a_closed_window(closed: Ledger, statement: str) -> None:
    with pytest.raises(DBAPIError, match="a closed window is never changed"):
        change(closed, statement)
    closed.rebuild_check()
    assert verify(closed.database).windows == 1


def test_law_09_on_postgresql_no_row_gets_into_a_closed_dates_table(closed: Ledger) -> None:
    if closed.database.is_sqlite:
        pytest.skip("on SQLite the block of such a row is refused: rows themselves are not looked at")
    with closed.database.engine.connect() as connection:
        row = connection.execute(sa.select(transfers).where(transfers.c.position == 1)).mappings().one()
    with (
        pytest.raises(DBAPIError, match="a closed window is never changed"),
        closed.database.engine.begin() as connection,
    ):
        connection.execute(sa.insert(transfers), {**row, "position": 99})


def test_what_is_not_closed_is_not_guarded(closed: Ledger) -> None:
    assert change(closed, f"UPDATE transfers SET amount = amount + 1 WHERE {OPEN}") == 1


def test_the_next_window_is_guarded_once_it_is_closed(closed: Ledger) -> None:
    closed.close_window(closed.open_window())
    with pytest.raises(DBAPIError, match="a closed window is never changed"):
        change(closed, f"DELETE FROM transfers WHERE {OPEN}")
    assert [window.last_position for window in closed.windows()] == [2, 3]


def test_the_blocks_of_a_day_are_looked_at_byte_by_byte(closed: Ledger) -> None:
    (window,) = closed.windows()
    with closed.database.transaction() as connection:
        assert check_day(connection, window) == (2, [])  # the transfers' block, and the closing's own
    with closed.database.writing() as connection:
        unguard(connection)
        connection.execute(sa.text(f"UPDATE transfers SET occurred_at = 1 WHERE {CLOSED}"))
    with closed.database.transaction() as connection:
        assert check_day(connection, window) == (2, ["block 1 is not what was written"])


def test_a_day_without_blocks_has_nothing_to_look_at(closed: Ledger) -> None:
    (window,) = closed.windows()
    database = Database(closed.database.url.render_as_string(hide_password=False))
    with database.transaction() as connection:
        empty = type(window)(
            Day(window.business_date + 9), window.closed_at, window.last_position, window.head
        )
        assert check_day(connection, empty) == (0, [])
    database.close()
