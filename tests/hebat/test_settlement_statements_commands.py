"""`hebat settlement statements` and `mappings`: take files in, look into them, make a mapping and try it first."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hebat.demo.plan import BNI
from hebat.demo.statements import Account, Movement, camt053, mt940
from hebat.demo.town import CONFIGURATION
from hebat.errors import InputRefused
from hebat.settlement_commands.app import settlement_app
from keys.money import Sen
from settlement.errors import RuleRefused, StatementRefused
from tests.hebat.settlement_desk import Shell, open_shell

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = CONFIGURATION.participants.banks[BNI].account
MAPPING = {
    "header": ["Tanggal", "Mutasi"], "columns": {"booking_date": "Tanggal", "amount": "Mutasi", "text": 2},
    "decimal": ",", "thousands": ".", "delimiter": ";", "account": ACCOUNT,
}  # fmt: skip
TABLE = "Tanggal;Keterangan;Mutasi\n19/11/2026;SETORAN KSH-20261118-0009-0001;1.500,50\n20/11/2026;BIAYA;-2.500,00\n"
WHO = ("--by", "maker", "--reason", "the bank has no MT940")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return open_shell(tmp_path / "city")


def put(shell: Shell, name: str, content: bytes | str | dict[str, Any]) -> Path:
    path = shell.folder.root / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def statement(day: int, opening: int, *movements: Movement) -> Account:
    return Account("BNI", ACCOUNT, date(2026, 11, day), day, Sen(opening), movements)


def refused(shell: Shell, *words: object) -> str:
    arguments = [*map(str, words), "--data", str(shell.folder.root)]
    done = CliRunner().invoke(settlement_app, arguments, catch_exceptions=False)
    assert done.exit_code == 2
    return done.output


def test_a_file_is_taken_in_listed_and_shown_with_its_lines(shell: Shell) -> None:
    path = put(
        shell, "bni.xml", camt053(statement(18, 0, Movement(Sen(150_050), "KSH-1", "setoran", "B1")), "08")
    )
    (taken,) = shell.told("statements", "take", path)
    assert (taken["verdict"], taken["format"], taken["name"]) == ("accepted", "camt.053.001.08", "bni.xml")
    said = shell.ran("statements", "list")
    assert "bni.xml" in said
    assert "accepted" in said
    digest = taken["sha256"][:10]
    assert "Rp1.500,50" in shell.ran("statements", "show", digest)
    told = shell.told("statements", "show", digest)
    assert told["statements"][0]["closing_sen"] == 150_050
    assert told["lines"][0]["reference"] == "KSH-1"
    assert shell.ran("statements", "show", digest, "--raw").encode() == path.read_bytes()


def test_a_broken_file_is_kept_told_in_one_line_and_ends_with_2(shell: Shell) -> None:
    good = put(shell, "good.sta", mt940(statement(18, 0)))
    bad = put(shell, "bad.sta", mt940(statement(19, 0)).replace(b":62F:", b":63F:"))
    said = refused(shell, "statements", "take", bad, good)
    assert "bad.sta is refused: line 5: field 63F after field 60F" in said
    assert "good.sta is accepted" in said
    assert [one["name"] for one in shell.told("statements", "list", "--refused")] == ["bad.sta"]


def test_what_was_mended_is_said(shell: Shell) -> None:
    path = put(shell, "bni.sta", mt940(statement(18, 0, Movement(Sen(5), "", "a\tb", "B1"))))
    assert "tabs read as spaces" in shell.ran("statements", "take", path)


def test_a_mapping_is_tried_kept_and_used(shell: Shell) -> None:
    file, draft = put(shell, "bni.csv", TABLE), put(shell, "draft.json", MAPPING)
    tried = CliRunner().invoke(
        settlement_app, ["mappings", "try", str(file), "--draft", str(draft)], catch_exceptions=False
    )
    assert "Rp1.500,50" in tried.output
    assert "Nothing was kept" in tried.output
    assert shell.told("mappings", "list") == []
    assert "version 1, holds" in shell.ran("mappings", "add", "bni-csv", "--draft", draft, *WHO)
    assert shell.told("mappings", "show", "bni-csv")[0]["mapping"] == MAPPING
    (taken,) = shell.told("statements", "take", file)
    assert taken["format"] == "mapping bni-csv 1"
    shown = shell.told("statements", "show", taken["sha256"])
    assert [line["amount_sen"] for line in shown["lines"]] == [150_050, -250_000]
    assert shown["lines"][0]["reference"] == "KSH-20261118-0009-0001"


def test_a_mapping_that_is_none_is_refused_before_it_is_kept(shell: Shell) -> None:
    for content, error in (
        (MAPPING | {"sign": "guess"}, RuleRefused),
        ("{", InputRefused),
    ):
        draft = put(shell, "draft.json", content)
        with pytest.raises(error):
            shell.ran("mappings", "add", "x", "--draft", draft, *WHO)
    assert shell.ran("mappings", "list") == "No mapping was made yet.\n"


def test_a_dry_run_on_a_file_that_does_not_fit_says_why(shell: Shell) -> None:
    file, draft = (
        put(shell, "bni.csv", TABLE.replace("1.500,50", "1,500.50")),
        put(shell, "draft.json", MAPPING),
    )
    with pytest.raises(StatementRefused, match="line 2"):
        CliRunner().invoke(
            settlement_app, ["mappings", "try", str(file), "--draft", str(draft)], catch_exceptions=False
        )


def test_a_dialect_is_chosen_by_name(shell: Shell) -> None:
    who = ("--by", "maker", "--reason", "no commas")
    assert "dialect BTN (version 1)" in shell.ran("statements", "dialect", BNI, "BTN", *who)
    path = put(shell, "bni.sta", mt940(statement(18, 500)).replace(b"IDR5,00", b"IDR5"))
    assert shell.told("statements", "take", path)[0]["verdict"] == "accepted"
    with pytest.raises(InputRefused, match="there is no dialect 'BTX'"):
        shell.ran("statements", "dialect", BNI, "BTX", *who)


@pytest.mark.parametrize(
    "words",
    [
        ("statements", "take", "nowhere.sta"),
        ("statements", "show", "abc"),
        ("statements", "show", "no digest"),
        ("mappings", "show", "none"),
    ],
)
def test_what_is_not_there_is_said(shell: Shell, words: tuple[str, ...]) -> None:
    with pytest.raises(InputRefused):
        shell.ran(*words)


def test_schemas_in_the_citys_folder_are_used(shell: Shell, data: Path) -> None:
    shell.folder.schemas.mkdir()
    name = "camt.053.001.08.xsd"
    (shell.folder.schemas / name).write_bytes((data / "xsd" / name).read_bytes())
    valid = camt053(statement(18, 0), "08")
    (taken,) = shell.told("statements", "take", put(shell, "1.xml", valid))
    assert taken["remarks"] == []
    wrong = put(shell, "2.xml", valid.replace(b"<Ccy>IDR</Ccy>", b"<Ccy>Rp</Ccy>"))
    assert "not valid against the schema: Element 'Ccy'" in refused(shell, "statements", "take", wrong)
