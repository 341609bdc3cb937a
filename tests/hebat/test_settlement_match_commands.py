"""`hebat settlement match` and `breaks`: what the console does, from a shell, in a city that has something to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from hebat.demo.statements import Movement
from hebat.errors import InputRefused
from keys.money import Sen
from settlement.errors import MakerIsChecker
from tests.hebat.settlement_desk import Shell, open_shell
from tests.settlement.conftest import city
from tests.settlement.town import BNI, open_stage
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.participants import Participants

__all__ = ["city"]  # the town's participants, as a fixture of this module

FORMULA = Movement(Sen(7_00), "", "=HYPERLINK(1)", "F1")


@pytest.fixture
def shell(tmp_path: Path, city: Participants) -> Shell:
    made = open_shell(tmp_path / "city")
    with open_stage(made.database(), tmp_path / "out", city) as stage:
        worked = Worked.on(stage)
        first, second, *_ = worked.items(BNI)
        worked.take(
            [worked.told(first), Movement(second.amount, "", "TRF LMPIA GNG LMBK", "B2"), STRAY, FORMULA]
        )
    return made


def test_matches_are_listed_undone_and_made_by_hand(shell: Shell) -> None:
    assert "reference and amount" in shell.ran("match", "list")
    (made,) = shell.told("match", "list")
    undone = shell.told("match", "undo", made["match"], "--by", "maker", "--reason", "wrong")
    assert (undone["undone_by"], undone["undone_why"]) == ("maker", "wrong")
    again = shell.told(
        "match",
        "pair",
        "--item",
        made["items"][0],
        "--line",
        made["lines"][0],
        "--by",
        "checker",
        "--reason",
        "right",
    )
    assert (again["rule"], again["made_by"]) == ("by hand", "checker")
    assert "undone by maker: wrong" in shell.ran("match", "show", made["match"])
    told = shell.told("match", "run")
    assert told["matched"] + told["in_breaks"] + told["in_suspense"] == told["movement"]


def test_suggestions_are_accepted_and_rejected(shell: Shell) -> None:
    found = shell.told("match", "suggestions")
    assert "what speaks for it" in shell.ran("match", "suggestions")
    made = shell.told("match", "accept", found[0]["suggestion"], "--by", "maker")
    assert (made["items"], made["confidence"]) == ([found[0]["item"]], found[0]["score"])
    assert "No suggestion waits." in shell.ran("match", "suggestions")


def test_rules_are_printed_tried_and_put_in_force(shell: Shell, tmp_path: Path) -> None:
    rules = json.loads(shell.ran("match", "rules"))
    rules["passes"] = rules["passes"][:2]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rules), encoding="utf-8")
    days = ("--from", "2026-11-18", "--to", "2026-11-19")
    assert "0 won, 1 lost, 0 different, 0 the same." in shell.ran("match", "dry-run", file, *days)
    assert len(shell.told("match", "dry-run", file, *days)["lost"]) == 1
    assert "version 1 are in force" in shell.ran(
        "match", "rules", "--put", file, "--by", "maker", "--reason", "try"
    )
    assert json.loads(shell.ran("match", "rules")) == rules


def test_a_break_is_taken_proposed_by_one_and_approved_by_another(shell: Shell, tmp_path: Path) -> None:
    listed = shell.told("breaks", "list", "--reason", "unexpected on statement")["breaks"]
    stray = next(one for one in listed if one["shown"] == STRAY.amount)["break"]
    shell.ran("breaks", "assign", stray, "--to", "colleague", "--by", "maker")
    shell.ran("breaks", "comment", stray, "--text", "asked", "--by", "colleague")
    letter = tmp_path / "letter.txt"
    letter.write_text("dear bank", encoding="utf-8")
    shell.ran("breaks", "attach", stray, letter, "--by", "colleague")
    made = shell.told("breaks", "propose", stray, "--write-off", "--by", "maker", "--reason", "old")
    assert str(made["proposal"]) in shell.ran("breaks", "proposals")
    with pytest.raises(MakerIsChecker):
        shell.ran("breaks", "approve", made["proposal"], "--by", "maker")
    assert "approved by checker" in shell.ran("breaks", "approve", made["proposal"], "--by", "checker")
    shown = shell.ran("breaks", "show", stray)
    for said in ("owner colleague", "asked", "letter.txt", "approved", "closed"):
        assert said in shown


def test_breaks_are_exported_and_no_text_of_a_bank_becomes_a_formula(shell: Shell, tmp_path: Path) -> None:
    for name in ("out.csv", "out.xlsx"):
        assert "breaks are in" in shell.ran("breaks", "export", tmp_path / name)
    rows = pl.read_csv(tmp_path / "out.csv")
    assert len(rows) == shell.told("breaks", "list")["count"]
    assert "7.00" in (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert (tmp_path / "out.xlsx").read_bytes()[:2] == b"PK"
    with pytest.raises(InputRefused, match="is there already"):
        shell.ran("breaks", "export", tmp_path / "out.csv")
    with pytest.raises(InputRefused, match=r"neither .csv nor .xlsx"):
        shell.ran("breaks", "export", tmp_path / "out.pdf")


def test_ages_and_suspense_are_told(shell: Shell) -> None:
    assert "In suspense at bank 0009" in shell.ran("breaks", "ageing")
    assert sum(one["count"] for one in shell.told("breaks", "ageing")["ages"].values()) > 0


@pytest.mark.parametrize(
    "words",
    [
        ("breaks", "list", "--age", "7"), ("breaks", "list", "--reason", "x"), ("breaks", "list", "--severity", "x"),
        ("breaks", "propose", "BRK-1", "--by", "maker", "--reason", "x"),
        ("match", "pair", "--line", "abc", "--by", "maker", "--reason", "x"), ("match", "dry-run", "none.json", "--from", "2026-11-18", "--to", "2026-11-18"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_reason(shell: Shell, words: tuple[str, ...]) -> None:
    with pytest.raises(InputRefused):
        shell.ran(*words)
