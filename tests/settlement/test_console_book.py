"""Bank days, the rule book and who takes part, at the console: all may look, a checker decides with a reason, and the log has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hebat.schema import TABLES
from keys.clock import day_of
from settlement.breaks.proposals.limits import limit_now
from settlement.calendar.city import city_calendar
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from settlement.staff import store
from tests.empty import new_ledger
from tests.settlement.at_desk import Opened, member, opened, send
from tests.settlement.conftest import participants
from tests.settlement.mappings import KLIKBCA
from tests.settlement.town import DATE, open_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

    from settlement.participants import Bank, Party

RAIL = {
    "rail": "SKN", "from": "2026-11-01", "until": None, "over": "0", "at_most": "1000000000", "fee": "3100",
    "opens": "06:30", "closes": "16:45", "bank_days_only": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("book")
    database = new_ledger(f"sqlite:///{folder / 'ledger.db'}", *TABLES)
    with open_stage(database, folder / "out", participants()) as stage:
        yield opened(stage, folder)


@pytest.fixture(scope="module")
def checker(at: Opened) -> TestClient:
    return member(at, "checker")


def actions(at: Opened) -> list[tuple[str, str]]:
    with at.desk.database.transaction() as connection:
        return [(entry.said.action, entry.said.subject) for entry in store.entries(connection)]


def test_a_checker_decides_that_banks_are_closed_on_a_day_and_takes_it_back(
    at: Opened, checker: TestClient
) -> None:
    here, day, book = "/console/calendar", day_of(DATE), Rulebook(at.desk.database)
    shown = checker.get(f"{here}?year=2026").text
    assert "2026-08-17" in shown
    assert "Source:" in shown
    flood = {"day": DATE.isoformat(), "banks": "closed", "why": "flood"}
    assert send(member(at, "maker"), here, here, **flood).status_code == 403
    assert city_calendar(book).is_bank_day(day)
    assert send(checker, here, here, **flood).status_code == 303
    assert not city_calendar(book).is_bank_day(day)
    assert "flood" in checker.get(here).text
    assert send(checker, here, here, **flood | {"banks": "back", "why": "it went"}).status_code == 303
    assert city_calendar(book).is_bank_day(day)
    said = ("bank day decided", f"{DATE.isoformat()}: closed")
    assert actions(at).count(said) == 1


@pytest.mark.parametrize(
    "wrong", [{"day": "yesterday"}, {"banks": "perhaps"}, {"why": " "}, {"day": "1900-01-01"}]
)
def test_a_decision_that_is_none_is_told_and_nothing_is_kept(
    at: Opened, checker: TestClient, wrong: dict[str, str]
) -> None:
    told = {"day": DATE.isoformat(), "banks": "closed", "why": "flood"} | wrong
    before = Rulebook(at.desk.database).current(RuleKind.BANK_DAY)
    page = send(checker, "/console/calendar", "/console/calendar", **told)
    assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    assert Rulebook(at.desk.database).current(RuleKind.BANK_DAY) == before


def test_a_page_of_the_rule_book_holds_from_now_on_and_its_earlier_version_stays(
    at: Opened, checker: TestClient
) -> None:
    here, name = "/console/book", "SKN 2026-11-01"
    assert "Rp2.900" in checker.get(here).text
    for fee in ("3100", "3200"):
        sent = {
            "chapter": "rails",
            "name": name,
            "content": json.dumps(RAIL | {"fee": fee}),
            "why": "a circular",
        }
        assert send(checker, here, here, **sent).status_code == 303
    shown = checker.get(here).text
    assert "Rp3.200" in shown
    assert "Rp2.900" not in shown
    assert [page.told["fee"] for page in Rulebook(at.desk.database).history(RuleKind.RAIL, name)] == [
        "3100",
        "3200",
    ]
    assert actions(at).count(("rail kept", name)) == 2


@pytest.mark.parametrize(
    ("chapter", "content", "word"),
    [
        ("rails", "{", "no JSON"), ("rails", "{}", "a rail&#39;s row has the fields"), ("mappings", "[]", "a mapping is a JSON object"),
        ("templates", "{}", "columns"), ("nothing", "{}", "say whether"),
        pytest.param("rails", "[" * 5_000, "nested too deeply", id="nested"),
    ],
)  # fmt: skip
def test_a_page_that_is_none_is_told_and_the_draft_is_kept_on_the_screen(
    at: Opened, checker: TestClient, chapter: str, content: str, word: str
) -> None:
    sent = {"chapter": chapter, "name": "0009", "content": content, "why": "<b>why</b>"}
    before = actions(at)
    page = send(checker, "/console/book", "/console/book", **sent)
    assert page.status_code == 422
    assert word in page.text
    assert "&lt;b&gt;why" in page.text
    assert actions(at) == before


def test_mappings_and_templates_are_kept_as_a_shell_keeps_them(at: Opened, checker: TestClient) -> None:
    here = "/console/book"
    template = {"columns": [{"title": "Rek", "value": "account"}, {"title": "Jumlah", "value": "amount"}, {"title": "Ref", "value": "reference"}]}  # fmt: skip
    for chapter, name, content in (("mappings", "KlikBCA", KLIKBCA), ("templates", "0009", template)):
        sent = {"chapter": chapter, "name": name, "content": json.dumps(content), "why": "as the bank has it"}
        assert send(checker, here, here, **sent).status_code == 303
    shown = member(at, "auditor").get(here).text
    assert "as the bank has it" in shown
    assert "Write a page" not in shown


def test_everybody_who_is_paid_is_shown_with_bank_and_account(at: Opened, checker: TestClient) -> None:
    shown = checker.get("/console/parties").text
    known = at.desk.participants
    everyone: list[Bank | Party] = [
        *known.banks.values(),
        *known.operators.values(),
        *known.merchants.values(),
        known.city,
    ]
    assert all(one.name in shown and one.account in shown for one in everyone)


def test_a_checker_limits_what_is_written_off_and_a_page_that_limits_nothing_is_told(
    at: Opened, checker: TestClient
) -> None:
    here, sent = "/console/book", {"chapter": "write-offs", "name": "most", "why": "the mayor's letter"}
    assert send(checker, here, here, **sent, content='{"at_most": "50000"}').status_code == 303
    with at.desk.database.transaction() as connection:
        assert limit_now(connection) == 50_000_00
    for wrong in ({"content": '{"at_most": 50000}'}, {"content": '{"at_most": "1"}', "name": "least"}):
        page = send(checker, here, here, **(sent | wrong))
        assert (page.status_code, 'role="alert"' in page.text) == (422, True)
    assert "Limit of write-offs" in checker.get(here).text
    with at.desk.database.transaction() as connection:
        assert limit_now(connection) == 50_000_00
