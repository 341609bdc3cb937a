"""`hebat settlement worklist`, `disputes`, `claims`, `report`, `figures`: what the console shows and does, from a shell; one city for all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl
import pytest
import sqlalchemy as sa

from hebat.demo.statements import Movement
from hebat.errors import InputRefused
from keys.clock import Day, SystemClock, date_of, day_of, local
from keys.filevault import FileVault
from keys.money import parse
from ledger.cardholder.disputes import Disputes, Reason
from ledger.cardholder.sealing import Sealing, make_keys
from ledger.errors import DisputeRefused
from ledger.intake import tables as intake
from settlement.calendar.city import city_calendar
from settlement.calendar.indonesia import indonesian_calendar
from settlement.errors import BreakRefused
from settlement.rulebook.book import Rulebook
from tests.hebat.settlement_desk import Shell, open_shell
from tests.settlement.at_desk import BankDays
from tests.settlement.conftest import participants
from tests.settlement.test_console_desks import CARD, KEPT, RAISED, WORDS
from tests.settlement.town import BNI, open_stage
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "x"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("worklist")
    made = open_shell(folder / "city")
    with open_stage(made.database(), folder / "out", participants()) as stage:
        worked = Worked.on(stage)
        first, second, *_ = worked.items(BNI)
        worked.take([worked.told(first), Movement(second.amount, "", "SETORAN LMPIA LMBOK", "B2"), STRAY])
        with stage.ledger.database.writing() as connection:
            connection.execute(sa.insert(intake.quarantine), {"terminal": 1050, "sequence": 41, **KEPT})
            connection.execute(sa.insert(intake.exceptions), RAISED)
        vault = FileVault.create(made.folder.vault, PASSPHRASE, 16)
        make_keys(vault)
        calendar = BankDays(city_calendar(Rulebook(stage.ledger.database)))
        book = Disputes(stage.ledger, Sealing(vault), calendar, stage.clock)
        for tmc in (7, 8):
            book.open(CARD, tmc, Reason.TWICE, WORDS)
        vault.close()
        (made.folder.root / "city.passphrase").write_text(PASSPHRASE, encoding="utf-8")
    return made


def test_the_list_shows_all_work_with_its_counts_and_its_sum(shell: Shell) -> None:
    told = shell.told("worklist", "list")
    assert {one["source"] for one in told["work"]} == {"break", "quarantine", "exception", "dispute"}
    assert sum(told["counts"].values()) == len(told["work"])
    assert told["amount_sen"] == sum(one["amount_sen"] or 0 for one in told["work"])
    assert f"{len(told['work'])} in all" in shell.ran("worklist", "list")
    assert "Nothing is left" in shell.ran("worklist", "list", "--text", "nothing is called this")
    with pytest.raises(InputRefused, match="is no source"):
        shell.ran("worklist", "list", "--source", "gossip")


def test_work_is_exported_with_its_sum_and_no_file_is_written_over(shell: Shell, tmp_path: Path) -> None:
    told = shell.told("worklist", "list", "--source", "break")
    for name in ("out.csv", "out.xlsx", "out.pdf"):
        assert f"{len(told['work'])} rows are in" in shell.ran("worklist", "export", tmp_path / name, "--source", "break")  # fmt: skip
    rows = pl.read_csv(tmp_path / "out.csv", infer_schema=False)
    assert parse(rows["Amount"][-1]) == told["amount_sen"]
    with pytest.raises(InputRefused, match="is there already"):
        shell.ran("worklist", "export", tmp_path / "out.pdf")
    with pytest.raises(InputRefused, match="is none of"):
        shell.ran("worklist", "export", tmp_path / "out.doc")
    assert "rows are in" in shell.ran("report", tmp_path / "night.pdf", "--date", "2026-11-18")
    with pytest.raises(InputRefused, match="not settled"):
        shell.ran("report", tmp_path / "other.pdf", "--date", "2026-11-19")


def test_what_the_intake_left_is_explained_once_all_or_none(shell: Shell) -> None:
    keys = [f"{one['source']}:{one['key']}" for one in shell.told("worklist", "list")["work"] if one["source"] in {"quarantine", "exception"}]  # fmt: skip
    by = ("--by", "maker", "--reason", "a broken clock")
    with pytest.raises(BreakRefused):
        shell.ran("worklist", "explain", *keys, "quarantine:1-1", *by)
    assert "2 explained." in shell.ran("worklist", "explain", *keys, *by)
    counts = shell.told("worklist", "list")["counts"]
    assert (counts["quarantine"], counts["exception"]) == (0, 0)
    assert shell.told("worklist", "list", "--closed", "--source", "exception")["counts"] == {"exception": 1}


def test_disputes_are_shown_with_their_words_and_answered_once(shell: Shell) -> None:
    found = [one["reference"] for one in shell.told("disputes", "list")]
    assert len(found) == 2
    assert shell.told("disputes", "show", found[0])["words"] == WORDS
    answer = ("--by", "maker", "--as", "refused", "--text", "Two rides.")
    with pytest.raises(InputRefused, match="upheld or refused"):
        shell.ran("disputes", "answer", found[0], "--by", "maker", "--as", "maybe", "--text", "x")
    assert shell.ran("disputes", "answer", *found, *answer).count("is refused.") == 2
    with pytest.raises(DisputeRefused, match="answered already"):
        shell.ran("disputes", "answer", found[0], *answer)
    with pytest.raises(DisputeRefused, match="no dispute has the reference"):
        shell.ran("disputes", "show", "zz")
    assert "No cardholder waits" in shell.ran("disputes", "list")
    assert "Two rides." in shell.ran("disputes", "show", found[0])


def test_claims_are_listed_by_deadline_and_breaks_are_weighed(shell: Shell) -> None:
    break_id = shell.told("breaks", "list")["breaks"][0]["break"]
    assert "weigh high" in shell.ran("breaks", "weigh", break_id, "--as", "high", "--by", "maker", "--reason", "x")  # fmt: skip
    assert shell.told("breaks", "show", break_id)["severity"] == "high"
    day = city_calendar_day()
    shell.ran("breaks", "dispute", break_id, "--against", "BNI", "--claim", "too little", "--deadline", day, "--by", "maker")  # fmt: skip
    (claim,) = shell.told("claims")
    assert (claim["break"], claim["deadline"], claim["claim"]) == (break_id, day, "too little")
    assert "too little" in shell.ran("claims", "--until", day)
    assert "No claim" in shell.ran("claims", "--state", "won")
    with pytest.raises(InputRefused, match="is no state"):
        shell.ran("claims", "--state", "gossip")


def city_calendar_day() -> str:
    """The first day after today on which banks work."""
    today = day_of(local(SystemClock().now()).date())
    return date_of(indonesian_calendar().next_bank_day(Day(today + 1))).isoformat()


def test_figures_are_those_of_the_books(shell: Shell) -> None:
    told = shell.told("figures", "--date", "2026-11-18")
    assert sum(one["taps"] for one in told["hours"].values()) > 0
    assert list(told["fees_sen"]) == ["2026-11-18"]
    assert re.search(r"night\s+fees", shell.ran("figures", "--date", "2026-11-18"))
