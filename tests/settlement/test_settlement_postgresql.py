"""The same nights on PostgreSQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from hebat.demo.statements import Account, Movement, camt053
from hebat.schema import TABLES
from keys.money import Sen
from ledger.cardholder.disputes import Reason
from ledger.intake import tables as intake
from ledger.store import Database
from settlement.breaks.kept import Cause
from settlement.errors import ReleaseRefused
from settlement.view import view
from tests.ledger.conftest import postgres, postgres_url
from tests.settlement.at_desk import member, opened, send
from tests.settlement.reports import report
from tests.settlement.test_console_desks import CARD, KEPT, RAISED, WORDS
from tests.settlement.town import DATE, DAY, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.participants import Participants
    from tests.settlement.at_desk import Opened

__all__ = ["postgres", "postgres_url"]  # the ledger's own server, as fixtures of this module


LISTS = (
    "/console", "/console/worklist", "/console/worklist?order=newest", "/console/worklist?closed=1&q=a", "/console/suggestions",
    "/console/suggestions?bank=9&score=80&q=a", "/console/matches", f"/console/matches?night={DATE}&bank=9&people=1",
    "/console/payments", "/console/payments?state=released&bank=9", "/console/claims", "/console/claims?until=2026-12-31&state=all",
    "/console/disputes", "/console/disputes?until=2026-12-31&reason=twice&state=answered", "/console/rules", "/console/figures",
    f"/console/payments/{DATE}/9",
)  # fmt: skip

PARTS = ("items", "breaks", "positions")


def look_at_every_list(at: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list of the console, a row a page, to its end; with something in each."""
    for tmc in (7, 8):
        at.desk.disputes.open(CARD, tmc, Reason.TWICE, WORDS)
    with at.desk.database.writing() as connection:
        connection.execute(sa.insert(intake.quarantine), {"terminal": 1050, "sequence": 41, **KEPT})
        connection.execute(sa.insert(intake.exceptions), RAISED)
    client = member(at, "maker")
    for module in ("match_pages", "payment_pages", "claim_pages", "dispute_pages", "nights"):
        monkeypatch.setattr(f"settlement.console.{module}.ROWS", 1)
    monkeypatch.setattr("settlement.console.worklist.listed.__defaults__", (1,))
    for path, name in (*((path, "cursor") for path in LISTS), *((f"/night/{DATE}", name) for name in PARTS)):
        following, pages = path, 0
        while following:
            page = client.get(following)
            assert page.status_code == 200, following
            found = re.search(rf'href="([^"#]+[?;]{name}=[^"#]+)', page.text)
            following, pages = (found[1].replace("&amp;", "&") if found else ""), pages + 1
            assert pages < 50, path
    things = ["quarantine:1050-41", "exception:negative_shadow-5-77-3-1050-44"]
    assert send(client, "/console/intake/explain", thing=things, text="looked at").status_code == 303
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), at.desk.database.engine.begin() as raw:
        raw.exec_driver_sql("DELETE FROM intake_explanations")


@pytest.mark.slow
def test_a_night_on_postgresql_gives_what_it_gives_on_sqlite(
    request: pytest.FixtureRequest, tmp_path: Path, city: Participants, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(request.getfixturevalue("postgres_url"))
    with database.transaction() as connection:
        for metadata in TABLES:
            metadata.create_all(connection)
    with open_stage(database, tmp_path / "out", city) as stage:
        stage.night.run(DAY)
        night = view(database, DAY)
        assert night is not None
        movements = [Movement(one.amount, one.told, "", "") for one in night.items if one.bank == 9][1:]
        stage.put("bni.xml", camt053(Account("BNI", "0099001122", DATE, 1, Sen(0), movements), "08"))
        stage.put("bad.sta", b"garbage")
        stage.release()
        with pytest.raises(ReleaseRefused, match="it is on its way"):
            stage.night.payments.make(DAY, 9, by="maker", at=stage.clock.at)
        rejected = next(one.reference for one in night.items if one.bank == 9 and one.rail)
        stage.night.payments.report(
            "r.xml", report("KSH-20261118-0009", {rejected: ("RJCT", "AC04")}), stage.clock.at
        )
        done = stage.night.run(DAY)
        assert stage.night.run(DAY) == done
        assert len(list(stage.out.glob("pain001-*.xml"))) == len(night.payment_files)
        seen = view(database, DAY)
        assert seen is not None
        assert [one.cause for one in seen.open_breaks] == [Cause.REJECTED_PAYMENT]
        look_at_every_list(opened(stage, tmp_path), monkeypatch)
    assert done.matches_by_rule == (("reference and amount", len(movements)),)
    assert (done.breaks_by_reason, done.files_refused) == ((("missing on statement", 1),), 1)
