"""The same nights on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hebat.demo.statements import Account, Movement, camt053
from hebat.schema import TABLES
from keys.money import Sen
from ledger.store import Database
from settlement.breaks.kept import Cause
from settlement.errors import ReleaseRefused
from settlement.view import view
from tests.ledger.conftest import postgres, postgres_url
from tests.settlement.reports import report
from tests.settlement.town import DATE, DAY, open_stage

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.participants import Participants

__all__ = ["postgres", "postgres_url"]  # the ledger's own server, as fixtures of this module


@pytest.mark.slow
def test_a_night_on_postgresql_gives_what_it_gives_on_sqlite(
    request: pytest.FixtureRequest, tmp_path: Path, city: Participants
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
            stage.night.payments.make(DAY, 9, by="Siti", at=stage.clock.at)
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
    assert done.matches_by_rule == (("reference and amount", len(movements)),)
    assert (done.breaks_by_reason, done.files_refused) == ((("missing on statement", 1),), 1)
