"""The three-way report: figures that are zero, or explained by name; kept once, and never changed."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from hebat.schema import TABLES
from keys.clock import Day, UnixMs
from keys.money import Rupiah, sen_of
from ledger.chart import purse, split
from ledger.intake.tables import cards, taps
from ledger.transfer import Result
from settlement.night.card_side import look
from settlement.night.model import NAMED_MAX, Check, Named, Side, ThreeWay, Unit, listed
from settlement.night.store import three_way_of
from settlement.night.three_way import _cards_and_books
from settlement.tables import night_reports
from settlement.view import view
from tests.empty import new_ledger
from tests.ledger.unguarded import unguard
from tests.settlement.statements_of import statements_of
from tests.settlement.town import BNI, CITRA, DAY, JATENG, Taps, card, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.writer import Posted
    from tests.settlement.town import Stage

RIDER = 3
DAY_MS = 86_400_000


def put_card(stage: Stage, number: int, shown: dict[int, int]) -> None:
    """A card's taps as evidence: counter to balance after it, in rupiah."""
    partition, uid = split(purse(number)).partition, number % 10_000_000
    row = {
        "partition": partition, "uid": uid, "card_number": number, "registered": 0, "key_version": 1,
        "token_digest": number.to_bytes(32, "big"), "key_versions": "", "coming_versions": "",
    }  # fmt: skip
    tap = {
        "partition": partition, "uid": uid, "identity": bytes(32), "terminal": 1, "kind": 1, "amount": 1,
        "position": 1, "occurred_at": 1, "service_day": DAY, "business_date": DAY, "route": "", "stop": "",
        "rules": "", "seen_tmv": bytes(8),
    }  # fmt: skip
    evidence = [
        {**tap, "tmc": tmc, "sequence": tmc, "balance_after": sen_of(Rupiah(rupiah))}
        for tmc, rupiah in shown.items()
    ]
    with stage.ledger.database.writing() as connection:
        connection.execute(sa.insert(cards), row)
        connection.execute(sa.insert(taps), evidence)


NOVEMBER_ENDS = DAY + 12


def told(stage: Stage) -> dict[str, Check]:
    with stage.ledger.database.transaction() as connection:
        found = three_way_of(connection, DAY)
    assert found is not None
    return {check.name: check for check in found.checks}


def kept(stage: Stage) -> list[bytes]:
    with stage.ledger.database.transaction() as connection:
        return list(
            connection.execute(sa.select(night_reports.c.body).order_by(night_reports.c.version)).scalars()
        )


def test_after_an_ordinary_night_every_figure_is_zero_or_waits_for_its_bank(stage: Stage) -> None:
    report = stage.night.run(DAY)
    checks = told(stage)
    assert {check.side for check in checks.values()} == set(Side)
    assert [name for name, check in checks.items() if check.figure] == ["statements less expected"]
    waits = checks["statements less expected"]
    assert waits.unexplained == 0
    assert {one.name for one in waits.named} == {
        f"waiting, bank {bank:04d}, window 2026-11-18" for bank in stage.participants.banks
    }
    assert (report.is_sound, report.unexplained, report.to_look_at) == (True, (), False)


def test_a_card_that_lacks_counters_and_money_is_named_with_what_is_missing(stage: Stage) -> None:
    put_card(stage, card(BNI, 3), {4: 50_000, 7: 40_000})  # the books say 46.500
    stage.night.run(DAY)
    gaps, balances = told(stage)["missing counters"], told(stage)["balances against last evidence"]
    assert (gaps.figure, gaps.unexplained, gaps.checked) == (2, 0, 1)
    assert gaps.named[0].text == "counters 5, 6: no terminal has sent them; 0 of them in quarantine"
    assert (balances.figure, balances.unexplained) == (650_000, 0)
    assert "hold Rp6.500 more than the card showed; counters 5, 6" in balances.named[0].text


def test_a_balance_that_nothing_explains_is_left_to_look_at(stage: Stage) -> None:
    put_card(stage, card(BNI, 3), {4: 50_000, 5: 46_500})
    put_card(stage, card(JATENG, 1), {1: 46_499})
    report = stage.night.run(DAY)
    balances = told(stage)["balances against last evidence"]
    assert (balances.figure, balances.unexplained, balances.checked) == (100, 100, 2)
    assert "Rp1 more than the card showed" in balances.text
    assert report.unexplained == (("balances against last evidence", 100),)
    assert report.to_look_at


def test_taps_of_later_windows_say_nothing_about_this_one(stage: Stage) -> None:
    put_card(stage, card(BNI, 3), {4: 50_000, 5: 46_500})
    stage.night.settle(DAY)
    with stage.ledger.database.writing() as connection:
        later = sa.select(taps).where(taps.c.tmc == 5)
        row = connection.execute(later).mappings().one()
        connection.execute(sa.insert(taps), {**row, "tmc": 9, "sequence": 9, "business_date": DAY + 1})
    stage.night.run(DAY)
    assert not any(check.figure for check in told(stage).values() if check.side is Side.CARD)


def test_a_journal_row_that_somebody_changed_makes_the_night_unsound(stage: Stage) -> None:
    stage.night.settle(DAY)
    with stage.ledger.database.writing() as connection:
        unguard(connection)
        connection.execute(sa.text("UPDATE transfers SET amount = amount + 100 WHERE position = 5"))
    report = stage.night.run(DAY)
    checks = told(stage)
    assert checks["blocks that do not verify"].figure == 1
    assert checks["balances that the journal does not give"].figure == 1
    assert not report.is_sound


def test_a_night_goes_on_from_the_last_rebuild_and_the_last_of_a_month_or_one_that_is_asked_to_begins_anew(
    stage: Stage,
) -> None:
    stage.night.settle(DAY)
    stage.ledger.snapshot()
    stage.night.run(DAY)
    with stage.ledger.database.writing() as connection:
        unguard(connection)
        connection.execute(sa.text("UPDATE transfers SET amount = amount + 100 WHERE position = 5"))
    figure = "balances that the journal does not give"
    for day, is_sound in ((DAY + 1, True), (NOVEMBER_ENDS, False)):
        stage.clock.at = UnixMs(stage.clock.at + (day - DAY) * DAY_MS)
        assert stage.night.run(Day(day)).is_sound is is_sound
    checks = {one.name: one for one in stage.night.compare(Day(DAY + 1), whole=True).checks}
    assert checks[figure].figure == 1


def test_running_the_night_again_keeps_the_same_report_and_statements_make_a_new_version(
    stage: Stage,
) -> None:
    stage.night.run(DAY)
    (first,) = kept(stage)
    stage.clock.at = UnixMs(stage.clock.at + 3_600_000)
    stage.night.run(DAY)
    assert kept(stage) == [first]
    night = view(stage.ledger.database, DAY)
    assert night is not None
    for name, content in statements_of(night.items, stage.participants).items():
        stage.put(name, content)
    stage.night.run(DAY)
    stage.night.run(DAY)
    again, second = kept(stage)
    assert again == first
    assert not any(check["figure"] for check in json.loads(second)["checks"])
    assert ThreeWay.of_body(DAY, second).body() == second


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE night_reports SET version = 2",
        "DELETE FROM night_reports",
        "UPDATE settlement_positions SET name = 'somebody'",
        "DELETE FROM settlement_nets",
        "UPDATE settlement_items SET amount = amount + 1",
        "UPDATE settlements SET closed_at = 1",
        "INSERT INTO settlement_nets SELECT partition, business_date, 99, 0, 0, 0 FROM settlements",
    ],
)
def test_law_09_the_database_refuses_to_change_what_a_window_was_settled_with(
    stage: Stage, statement: str
) -> None:
    stage.night.run(DAY)
    with (
        pytest.raises(DBAPIError, match="what a window was settled with is never changed"),
        stage.ledger.database.engine.begin() as connection,
    ):
        connection.execute(sa.text(statement))


def test_more_exceptions_than_a_figure_lists_stand_in_one_line() -> None:
    named = listed(Named(f"{number:05d}", 1, "") for number in range(NAMED_MAX + 5))
    assert (len(named), named[-1].figure) == (NAMED_MAX + 1, 5)
    check = Check(Side.BANK, "x", Unit.COUNT, NAMED_MAX + 5, 1, named)
    assert check.unexplained == 0


def test_taps_that_are_posted_while_a_night_runs_change_nothing_that_it_says(
    stage: Stage, tmp_path: Path
) -> None:
    """A bus at night: every tap is answered, belongs to the next window, and the report is that of a quiet night."""
    stop, posted = threading.Event(), [0]
    wrong: list[Posted] = []
    put_card(stage, card(BNI, RIDER), {1: 46_500})

    def drive() -> None:
        while not stop.is_set():
            taps = Taps()
            taps.fare(BNI, RIDER, 1, operator=CITRA)
            wrong.extend(one for one in stage.ledger.post(taps.made) if one.result is not Result.POSTED)
            posted[0] += 1

    with ThreadPoolExecutor(2) as buses:
        driving = [buses.submit(drive) for _ in range(2)]
        try:
            stage.night.run(DAY)
            during = posted[0]
            for _ in range(10):  # the books of then, while those of now go on
                checks = compared_anew(stage)
        finally:
            stop.set()
        for one in driving:
            one.result()
    assert (during > 0, wrong) == (True, [])
    assert [(one.name, one.figure, one.text) for one in checks if one.unexplained] == []
    empty = new_ledger(f"sqlite:///{tmp_path / 'quiet.db'}", *TABLES)
    with open_stage(empty, tmp_path, stage.participants) as quiet:
        put_card(quiet, card(BNI, RIDER), {1: 46_500})
        quiet.night.run(DAY)
        assert checks == compared_anew(quiet)


def test_a_night_that_catches_up_finds_what_the_night_before_it_settled(stage: Stage) -> None:
    """Two windows closed on a later day: the first one's entries bear that day's date, and lie before the second's closing."""
    stage.clock.at = UnixMs(stage.clock.at + 3 * DAY_MS)
    assert stage.night.run(DAY).is_sound
    second = stage.night.run(Day(DAY + 2))
    assert (second.is_sound, second.unexplained) == (True, ())


def compared_anew(stage: Stage) -> list[Check]:
    held = stage.ledger.balances_at()
    with stage.ledger.database.transaction() as connection:
        cards = look(connection, DAY, whole=True)
        return _cards_and_books(stage.ledger, held, connection, DAY, cards)
