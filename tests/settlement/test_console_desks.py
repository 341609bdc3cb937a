"""The console's desks: payments, suggestions, matches, rules, claims, cardholders' disputes and what the intake left; one console for all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from hebat.demo.statements import Account, Movement, camt053
from hebat.schema import TABLES
from keys.money import Sen
from ledger.cardholder.disputes import Reason as Reported
from ledger.intake import tables as intake
from ledger.intake.cards.issued import Card
from settlement.breaks.explanations.store import Of, explanation_of
from settlement.breaks.filters import Filters
from settlement.console.acting import breaks_desk, matching_desk
from settlement.staff import store
from settlement.view import view
from tests.empty import new_ledger
from tests.settlement.at_desk import Opened, member, opened, send
from tests.settlement.conftest import participants
from tests.settlement.town import BNI, DATE, DAY, JATENG, MANDIRI, Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient

CARD = Card(0x04112233445566, 9360000900000017, False, 1, bytes(32))
WORDS = "I paid <b>twice</b>"


@dataclass(frozen=True, slots=True)
class Room:
    """A console over a night, and somebody of each role in it."""

    at: Opened
    stage: Stage
    maker: TestClient
    checker: TestClient
    both: TestClient
    auditor: TestClient

    def logged(self) -> list[tuple[str, str]]:
        with self.at.desk.database.transaction() as connection:
            return [(entry.said.who, entry.said.action) for entry in store.entries(connection)]


MISSPELT = {"PT Citra Armada": "SETORAN CTRA ARMDA", "Lumpia Gang Lombok": "SETORAN LMPIA LMBOK"}
"""Two payments of which the bank tells the amount and, more or less, the name."""


def statement(stage: Stage, bank: int) -> bytes:
    """A bank's statement: every item, well told unless its name is misspelt; the last one a little too small."""
    night = view(stage.ledger.database, DAY)
    assert night is not None
    told = [
        Movement(
            one.amount, "" if one.name in MISSPELT else one.reference, MISSPELT.get(one.name, ""), f"B{at}"
        )
        for at, one in enumerate(one for one in night.items if one.bank == bank)
    ]
    if bank == JATENG:
        told[-1] = Movement(Sen(told[-1].amount - 50), told[-1].reference, "", "B9")
    return camt053(Account(f"{bank}", stage.participants.bank(bank).account, DATE, 1, Sen(0), told), "08")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("desks")
    database = new_ledger(f"sqlite:///{folder / 'ledger.db'}", *TABLES)
    with open_stage(database, folder / "out", participants()) as stage:
        at = opened(stage, folder)
        stage.night.run(DAY)
        for bank in (BNI, JATENG):
            stage.put(f"{bank}.xml", statement(stage, bank))
        stage.night.run(DAY)
        people = (member(at, roles) for roles in ("maker", "checker", "maker,checker", "auditor"))
        yield Room(at, stage, *people)


def files(room: Room) -> list[str]:
    return re.findall(r'name="file" value="([^"]+)"', room.maker.get("/console/payments").text)


def test_a_payment_file_is_made_by_one_and_released_by_another_and_it_lies_in_the_banks_folder(
    room: Room,
) -> None:
    here = "/console/payments"
    waiting = files(room)
    assert len(waiting) >= 2
    assert send(room.checker, f"{here}/make", here, file=waiting).status_code == 403
    assert send(room.both, f"{here}/make", here, file=waiting[0]).status_code == 303
    assert send(room.maker, f"{here}/make", here, file=waiting[1:]).status_code == 303
    own = send(room.both, f"{here}/release", here, file=waiting[0])
    assert own.status_code == 422
    assert "another one must release it" in own.text
    assert send(room.maker, f"{here}/release", here, file=waiting[1:]).status_code == 403
    assert not list(room.stage.out.glob("KSH*"))
    mixed = send(room.both, f"{here}/release", here, file=waiting)
    assert mixed.status_code == 422
    assert f"<strong>{len(waiting) - 1}</strong> done. 1 not" in mixed.text
    assert send(room.checker, f"{here}/release", here, file=waiting[0]).status_code == 303
    assert len([one for one in room.stage.out.iterdir() if one.is_file() and one.suffix in {".xml", ".csv"}]) == len(waiting)  # fmt: skip
    assert files(room) == []
    page = room.auditor.get(f"{here}/{waiting[0]}").text
    assert "maker-checker" in page
    assert "checker" in page
    assert {("checker", "payment file released"), ("maker", "payment file made")} <= set(room.logged())
    assert room.logged().count(("maker-checker", "payment file released")) == len(waiting) - 1


@pytest.mark.parametrize("text", ["x", "2026-11-18", "2026-11-18/99999", "2026-13-40/9", "2020-01-01/9"])
def test_a_payment_file_that_is_none_is_told_and_nothing_is_made(room: Room, text: str) -> None:
    answer = send(room.maker, "/console/payments/make", "/console/payments", file=text)
    assert answer.status_code == 422
    assert text.split("/", maxsplit=1)[0] in answer.text
    assert room.maker.get(f"/console/payments/{text}").status_code == 404


def test_a_status_report_that_is_none_is_kept_with_its_reason(room: Room) -> None:
    sent = {"reports": ("../../pain002.xml", b"<nothing/>")}
    page = send(room.maker, "/console/payments/reports", "/console/payments", files=sent)
    assert page.status_code == 200
    assert "pain002.xml</strong> refused" in page.text
    assert send(room.maker, "/console/payments/reports", "/console/payments").status_code == 422


def test_suggestions_are_decided_many_at_once_and_each_by_itself(room: Room) -> None:
    here = "/console/suggestions"
    assert len(re.findall(r'name="suggestion"', room.maker.get(f"{here}?bank={BNI}").text)) == 1
    page = room.maker.get(here).text
    waiting = re.findall(r'name="suggestion" value="(\d+)"', page)
    assert len(waiting) == 2, "one whose name is misspelt, one of nearly the same amount"
    assert f"<strong>{len(waiting)}</strong> wait" in page
    assert re.findall(r'name="suggestion" value="(\d+)"', room.maker.get(f"{here}?bank={MANDIRI}").text) == []
    assert re.findall(r'name="suggestion"', room.checker.get(here).text) == []
    silent = send(room.maker, here, here, suggestion=waiting, act="reject", why="")
    assert silent.status_code == 422
    assert "say why" in silent.text
    assert send(room.maker, here, here, suggestion=waiting[0], act="burn").status_code == 422
    assert send(room.maker, here, here, act="accept").status_code == 422
    mixed = send(room.maker, here, here, suggestion=[*waiting[:1], "999"], act="accept")
    assert mixed.status_code == 422
    assert "no suggestion has number 999" in mixed.text
    assert send(room.maker, here, here, suggestion=waiting[1], act="reject", why="another shop").status_code == 303  # fmt: skip
    assert "No suggestion waits" in room.maker.get(here).text
    assert room.logged().count(("maker", "suggestion accepted")) == 1
    assert ("maker", "suggestion rejected") in room.logged()


def test_matches_of_a_night_are_filtered_paged_and_undone_many_at_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"/console/matches?night={DATE}"
    whole = re.findall(r'name="match" value="(\d+)"', room.maker.get(here).text)
    assert whole == sorted(whole, key=int, reverse=True)
    monkeypatch.setattr("settlement.console.match_pages.ROWS", 1)
    seen, path = [], here
    while path:
        page = room.maker.get(path).text
        seen += re.findall(r'name="match" value="(\d+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == whole
    monkeypatch.undo()
    assert send(room.maker, "/console/matches", here, match=whole[:2], why="").status_code == 422
    done = send(room.maker, "/console/matches", here, match=whole[:2], why="a look", back=here)
    assert (done.status_code, done.headers["location"]) == (303, here)
    assert not set(whole[:2]) & set(re.findall(r'name="match" value="(\d+)"', room.maker.get(here).text))
    assert "a look" in room.maker.get(f"{here}&undone=1").text
    assert room.maker.get("/console/matches?night=tomorrow&bank=x").status_code == 200


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.test/", "//evil.test", "/console/matchesx?", "/console/matches?\r\nx: y", "/night"],
)
def test_a_form_leads_back_to_its_own_list_and_nowhere_else(room: Room, wanted: str) -> None:
    answer = send(room.maker, "/console/claims", "/console/claims", claim="BRK-x", outcome="x", back=wanted)
    assert answer.status_code == 422
    undone = send(room.maker, "/console/worklist/breaks", "/console/worklist", break_id=open_break(room), act="take", back=wanted)  # fmt: skip
    assert undone.headers["location"] == "/console/worklist"


def open_break(room: Room) -> str:
    return breaks_desk(room.at.desk).page(Filters())[0].break_id


def test_rules_are_tried_over_a_past_month_without_writing_and_put_in_force_by_a_checker(room: Room) -> None:
    here = "/console/rules"
    before = matching_desk(room.at.desk).matches(limit=500)
    body = matching_desk(room.at.desk).rules().body
    told = json.loads(body)
    name = "reference and amount"
    told["passes"] = [one for one in told["passes"] if one["name"] != name]
    days = {"first": "2026-11-01", "last": "2026-11-30"}
    page = send(room.auditor, f"{here}/try", here, rules=json.dumps(told), **days)
    assert page.status_code == 200
    assert "What would change from 2026-11-01 to 2026-11-30" in page.text
    changed = len(re.findall(r">(?:lost|had)</span>", page.text))
    assert changed == sum(one.rule == name for one in before) > 0
    assert "Nothing would change" in send(room.auditor, f"{here}/try", here, rules=body, **days).text
    assert matching_desk(room.at.desk).matches(limit=500) == before
    assert matching_desk(room.at.desk).rules().body == body
    bad = send(room.maker, f"{here}/try", here, rules="{", **days)
    assert bad.status_code == 422
    assert 'role="alert"' in bad.text
    assert send(room.maker, f"{here}/try", here, rules=body, first="2020-01-01", last="2026-11-30").status_code == 422  # fmt: skip
    assert send(room.maker, here, here, rules=json.dumps(told), why="fewer").status_code == 403
    assert send(room.checker, here, here, rules=json.dumps(told), why="").status_code == 422
    assert send(room.checker, here, here, rules=json.dumps(told), why="fewer").status_code == 303
    assert matching_desk(room.at.desk).rules().version == 1
    assert send(room.checker, here, here, rules=json.dumps(told), why="again").status_code == 422
    assert room.logged().count(("checker", "rules put in force")) == 1
    assert send(room.checker, here, here, rules=body, why="as it was").status_code == 303


def test_a_claim_has_a_deadline_and_is_ended_with_what_came_out(room: Room) -> None:
    break_id = open_break(room)
    here = f"/console/breaks/{break_id}"
    form = {"party": "Bank Negara Indonesia", "claim": "it paid too little"}
    sunday = date(2026, 11, 22)
    for wrong in ("", "soon", sunday.isoformat(), "2020-01-06"):
        assert send(room.maker, f"{here}/claim", here, **form, deadline=wrong).status_code == 422
    monday = (sunday + timedelta(days=1)).isoformat()
    assert send(room.maker, f"{here}/claim", here, **form, deadline=monday).status_code == 303
    page = room.auditor.get("/console/claims").text
    assert "it paid too little" in page
    assert f'pill amber">{monday}' in page
    assert "No claim is like that" in room.auditor.get("/console/claims?until=2026-11-20").text
    assert send(room.checker, "/console/claims", here, claim=break_id).status_code == 403
    assert send(room.maker, "/console/claims", here, claim=break_id, **{"as": "open"}).status_code == 422
    end = {"claim": break_id, "as": "won", "outcome": "BNI pays"}
    assert send(room.maker, "/console/claims", here, **end).status_code == 303
    assert send(room.maker, "/console/claims", here, **end).status_code == 422
    assert "BNI pays" in room.auditor.get("/console/claims?state=won").text
    assert "it paid too little" not in room.auditor.get("/console/claims").text
    assert {("maker", "claim opened"), ("maker", "claim ended")} <= set(room.logged())


def test_a_cardholders_dispute_shows_its_words_as_text_and_is_answered_once(room: Room) -> None:
    number = room.at.desk.disputes.open(CARD, 7, Reported.TWICE, WORDS)
    room.at.desk.disputes.open(CARD, 8, Reported.AMOUNT, "")
    here = "/console/disputes"
    keys = re.findall(r'name="dispute" value="([^"]+)"', room.maker.get(here).text)
    assert len(keys) == 2
    assert len(re.findall(r'name="dispute"', room.maker.get(f"{here}?reason=twice").text)) == 1
    page = room.checker.get(f"{here}/{keys[0]}").text
    assert "I paid &lt;b&gt;twice&lt;/b&gt;" in page
    assert "Answer, once" not in page
    for key in ("1-2-3", "x", "1-2", "9999999999999999999999-1-1"):
        assert room.maker.get(f"{here}/{key}").status_code == 404
    assert send(room.checker, here, here, dispute=keys).status_code == 403
    assert send(room.maker, here, here, dispute=keys[0], outcome="maybe", answer="x").status_code == 422
    assert send(room.maker, here, here, dispute=keys[0], outcome="upheld", answer="").status_code == 422
    told = {"outcome": "upheld", "answer": "You get it back."}
    assert send(room.maker, here, here, dispute=keys, **told).status_code == 303
    again = send(room.maker, here, here, dispute=keys[0], **told)
    assert "was answered already" in again.text
    heard = room.at.desk.disputes.follow(number)
    assert heard is not None
    assert (heard.state, heard.answer, heard.answered_by) == ("upheld", "You get it back.", "maker")
    assert room.logged().count(("maker", "dispute answered")) == 2, "what did not happen is not in the log"
    assert "No cardholder waits" in room.maker.get(here).text


KEPT = {
    "partition": 0, "reason": "malformed", "detail": "no CBOR: <i>", "uid": 0, "tmc": 0, "amount": -350_000, "raw": b"\x01\xff",
    "received_at": 1_763_450_000_000, "resolution": "", "resolved_at": 0,
}  # fmt: skip
"""A record that was not posted, without its terminal and sequence."""
RAISED = {
    "partition": 5, "uid": 77, "tmc": 3, "kind": "negative_shadow", "terminal": 1050, "sequence": 44, "detail": "at -Rp1.000",
    "raised_at": 1_763_450_000_001,
}  # fmt: skip


def left_by_the_intake(room: Room) -> None:
    """Two records that were not posted, one settled since, and an exception."""
    with room.at.desk.database.writing() as connection:
        connection.execute(sa.insert(intake.quarantine), {"terminal": 1050, "sequence": 41, **KEPT})
        settled = {"terminal": 1050, "sequence": 42, **KEPT, "resolution": "witnessed", "resolved_at": 1}
        connection.execute(sa.insert(intake.quarantine), settled)
        connection.execute(sa.insert(intake.exceptions), RAISED)


def test_what_the_intake_left_is_explained_from_the_worklist_and_leaves_it(room: Room) -> None:
    left_by_the_intake(room)
    here = "/console/worklist"
    page = room.maker.get(here).text
    things = re.findall(r'name="thing" value="([^"]+)"', page)
    assert things == ["quarantine:1050-41", "exception:negative_shadow-5-77-3-1050-44"]
    record = room.auditor.get("/console/intake/quarantine/1050-41")
    assert "01 FF" in record.text
    assert "no CBOR: &lt;i&gt;" in record.text
    assert "at -Rp1.000" in room.auditor.get("/console/intake/exception/negative_shadow-5-77-3-1050-44").text
    explain, why = "/console/intake/explain", "the terminal's clock was wrong"
    assert send(room.checker, explain, here, thing=things, text=why).status_code == 403
    assert send(room.maker, explain, here, thing=things, text=" ").status_code == 422
    assert send(room.maker, explain, here, thing="break:BRK-1", text=why).status_code == 422
    wrong = send(room.maker, explain, here, thing=[*things, "quarantine:1050-42"], text=why)
    assert wrong.status_code == 422
    assert "is witnessed already" in wrong.text
    assert re.findall(r'name="thing"', room.maker.get(here).text), "all or none"
    assert send(room.maker, explain, here, thing=things, text=why).status_code == 303
    assert re.findall(r'name="thing"', room.maker.get(here).text) == []
    assert "1050" in room.maker.get(f"{here}?source=exception&closed=1").text
    assert send(room.maker, explain, here, thing=things[0], text=why).status_code == 422
    assert why in room.auditor.get("/console/intake/quarantine/1050-41").text.replace("&#39;", "'")
    for statement in ("UPDATE intake_explanations SET who = 'me'", "DELETE FROM intake_explanations"):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), room.at.desk.database.engine.begin() as raw:  # fmt: skip
            raw.exec_driver_sql(statement)
    with room.at.desk.database.transaction() as connection:
        kept = explanation_of(connection, Of.QUARANTINE, "1050-41")
    assert kept is not None
    assert (kept.who, kept.why) == ("maker", why)


@pytest.mark.parametrize(
    "path",
    [
        "quarantine/1-2",
        "quarantine/x",
        "quarantine/1-2-3",
        "exception/x",
        "exception/negative_shadow-1-2",
        "exception/negative_shadow-1-2-3-4-99999999999999999999",
    ],
)
def test_what_the_intake_never_left_is_not_there(room: Room, path: str) -> None:
    assert room.maker.get(f"/console/intake/{path}").status_code == 404


def test_a_break_is_weighed_and_an_approved_entry_taken_back(room: Room) -> None:
    found = next(one for one in breaks_desk(room.at.desk).page(Filters()) if one.line.sha256)
    here = f"/console/breaks/{found.break_id}"
    assert send(room.maker, f"{here}/severity", here, severity="9", why="x").status_code == 422
    assert send(room.maker, f"{here}/severity", here, severity="3", why="it is the city's").status_code == 303
    assert "severity high" in room.maker.get(here).text
    assert send(room.maker, f"{here}/propose", here, why="the bank's fee").status_code == 303
    number = str(breaks_desk(room.at.desk).folder(found.break_id).proposals[0].number)
    assert send(room.checker, f"{here}/approve", here, proposal=number).status_code == 303
    assert send(room.checker, f"{here}/reverse", here, proposal=number, why="x").status_code == 403
    assert send(room.maker, f"{here}/reverse", here, proposal=number, why="it was no fee").status_code == 303
    kinds = [one.kind.value for one in breaks_desk(room.at.desk).folder(found.break_id).proposals]
    assert kinds == ["write-off", "reversal"]
