"""Missing counters: each hole is an exception until its tap comes, and a night reads cards on from where nothing was missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hebat.schema import TABLES
from keys.clock import Day
from keys.money import Rupiah, sen_of
from ledger.chart import purse, split
from ledger.intake.quarantine.store import read_exceptions
from ledger.intake.reasons import ExceptionKind
from ledger.intake.tables import cards, taps
from ledger.store import Database
from settlement.breaks.explanations.store import Of, explanation_of
from settlement.night.card_side import look
from settlement.night.counters import store as counters
from settlement.night.counters.holes import note_known
from settlement.people import NIGHT
from settlement.tables import known_counters
from tests.settlement.town import BNI, DAY, card

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.store import Connection
    from tests.settlement.town import Stage

NUMBER = card(BNI, 3)
UID = NUMBER % 10_000_000
PARTITION = split(purse(NUMBER)).partition


def put_card(connection: Connection) -> None:
    row = {
        "partition": PARTITION, "uid": UID, "card_number": NUMBER, "registered": 0, "key_version": 1,
        "token_digest": bytes(32), "key_versions": "", "coming_versions": "",
    }  # fmt: skip
    connection.execute(sa.insert(cards), row)


def put_taps(connection: Connection, day: int, *counters_seen: int) -> None:
    tap = {
        "partition": PARTITION, "uid": UID, "identity": bytes(32), "terminal": 7, "kind": 1, "amount": 1,
        "position": 1, "occurred_at": 1, "service_day": day, "business_date": day, "route": "", "stop": "",
        "rules": "", "seen_tmv": bytes(8), "balance_after": sen_of(Rupiah(46_500)),
    }  # fmt: skip
    if rows := [{**tap, "tmc": tmc, "sequence": 100 + tmc} for tmc in counters_seen]:
        connection.execute(sa.insert(taps), rows)


def holes_told(stage: Stage) -> list[tuple[int, int, int, str]]:
    with stage.ledger.database.transaction() as connection:
        rows = read_exceptions(connection)
    return [
        (row.tmc, row.terminal, row.sequence, row.detail)
        for row in rows
        if row.kind is ExceptionKind.COUNTER_MISSING
    ]


def test_a_hole_in_a_cards_counters_is_raised_once_and_names_the_record_that_shows_it(stage: Stage) -> None:
    with stage.ledger.database.writing() as connection:
        put_card(connection)
        put_taps(connection, DAY, 1, 2, 5, 7)
    stage.night.run(DAY)
    stage.night.compare(DAY, whole=True)
    assert holes_told(stage) == [
        (3, 7, 105, "counters 3 to 4 of the card came from no terminal; counter 5 did: find the terminal that has not sent"),
        (6, 7, 107, "counter 6 of the card came from no terminal; counter 7 did: find the terminal that has not sent"),
    ]  # fmt: skip


def test_a_hole_whose_tap_came_late_is_explained_by_the_night_and_what_is_left_of_it_is_raised_anew(
    stage: Stage,
) -> None:
    with stage.ledger.database.writing() as connection:
        put_card(connection)
        put_taps(connection, DAY, 1, 2, 5)
    stage.night.run(DAY)
    with stage.ledger.database.writing() as connection:
        put_taps(connection, DAY, 3)
    stage.night.compare(DAY, whole=True)
    assert [row[0] for row in holes_told(stage)] == [3, 4]
    with stage.ledger.database.transaction() as connection:
        came, still = (
            explanation_of(connection, Of.EXCEPTION, one.key) for one in sorted(counters.raised(connection))
        )
    assert came is not None
    assert (came.who, came.why, still) == (NIGHT, "the counter came in since", None)


def test_a_night_reads_on_from_what_was_known_and_a_whole_one_reads_everything(stage: Stage) -> None:
    with stage.ledger.database.writing() as connection:
        put_card(connection)
        put_taps(connection, DAY, 1, 2, 3)
    stage.night.run(DAY)
    with stage.ledger.database.writing() as connection:
        put_taps(connection, DAY + 1, 4)
        connection.execute(sa.delete(taps).where(taps.c.tmc == 2))
    with stage.ledger.database.transaction() as connection:
        (on,) = look(connection, Day(DAY + 1), whole=False).cards
        (anew,) = look(connection, Day(DAY + 1), whole=True).gaps
    assert (on.known, on.last, on.newer) == (3, 4, 1)
    assert [hole.missing for hole in anew.holes] == [range(2, 3)]


def test_a_jump_of_a_counter_to_its_end_costs_no_memory(stage: Stage) -> None:
    with stage.ledger.database.writing() as connection:
        put_card(connection)
        put_taps(connection, DAY, 1, 2**32 - 1)
    stage.night.run(DAY)
    (row,) = holes_told(stage)
    assert row[3].startswith("counters 2 to 4294967294 of the card")


ARRIVALS = st.lists(st.sets(st.integers(1, 14), max_size=6), min_size=1, max_size=5)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """A ledger's tables, with one card in them."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    database.create(*TABLES)
    with database.writing() as connection:
        put_card(connection)
    yield database
    database.close()


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arrivals=ARRIVALS)
def test_night_after_night_finds_what_reading_everything_finds(
    empty: Database, arrivals: list[set[int]]
) -> None:
    seen: set[int] = set()
    with empty.writing() as connection:
        for table in (taps, known_counters):
            connection.execute(sa.delete(table))
    for day, came in enumerate(arrivals):
        new, seen = came - seen, seen | came
        with empty.writing() as connection:
            put_taps(connection, day, *new)
        with empty.transaction() as connection:
            side = look(connection, Day(day), whole=False)
        missing = set(range(min(seen), max(seen))) - seen if new else set()
        assert {tmc for gap in side.gaps for hole in gap.holes for tmc in hole.missing} == missing
        note_known(empty, Day(day), side)
