"""A city with parties of its own: founded from a file, added to, changed by two people, and never left by anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hebat.configurations import OWN, configuration_of
from hebat.demo.town import PARTICIPANTS
from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.founding import found_over
from hebat.settlement_commands.app import settlement_app
from hebat.settlement_commands.parties_file import entries_of, read, written
from hebat.terminal_commands import terminals_app
from keys.clock import SystemClock
from keys.filevault import FileVault
from ledger.chart import Code
from settlement.errors import ParticipantInvalid, ParticipantUnknown
from settlement.participants import MerchantClass

EXAMPLE = Path(__file__).parents[2] / "deploy" / "participants.toml"
SHOP = """
[[merchants]]
number = 502
name = "Toko Pandanaran"
bank = "0009"
account = "3020000502"
class = "UKE"
"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A city founded with the file that the project ships as an example."""
    folder = Folder(tmp_path_factory.mktemp("own") / "city")
    folder.make()
    vault = FileVault.create(folder.vault, folder.passphrase(new=True))
    found_over(folder, vault, SystemClock(), OWN, read(EXAMPLE))
    return folder


def told(founded: Folder, *words: object) -> Any:
    arguments = [*map(str, words), "--data", str(founded.root), "--json"]
    done = CliRunner().invoke(settlement_app, ["participants", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def put(founded: Folder, tmp_path: Path, text: str, *words: str) -> Any:
    (tmp_path / "parties.toml").write_text(text, encoding="utf-8")
    return told(
        founded, "set", tmp_path / "parties.toml", "--by", "the bank desk", "--reason", "they asked", *words
    )


def test_a_file_that_is_written_reads_back_as_the_same_parties(tmp_path: Path) -> None:
    file = tmp_path / "demo.toml"
    file.write_text(written(entries_of(PARTICIPANTS)), encoding="utf-8")
    assert read(file) == entries_of(PARTICIPANTS)


def test_a_city_has_the_parties_that_it_was_founded_with(founded: Folder) -> None:
    participants = configuration_of(founded).participants
    assert participants.bank(113).bic == "PDJGIDJ1"
    assert participants.merchant(501).merchant_class is MerchantClass.UMI
    assert participants.party(Code.AGENT_CASH, 701).name == "Loket Simpang Lima"
    assert entries_of(participants)[1:] == sorted(read(EXAMPLE)[1:], key=entries_of(participants).index)


def test_a_new_shop_is_there_at_once_and_may_have_a_till(founded: Folder, tmp_path: Path) -> None:
    invite = ["invite", "2001", "--class", "till", "--owner", "502", "--data", str(founded.root)]
    with pytest.raises(ParticipantUnknown, match="hebat settlement participants set"):
        CliRunner().invoke(terminals_app, invite, catch_exceptions=False)
    assert put(founded, tmp_path, SHOP) == [{"name": "merchant 502", "version": 1}]
    assert put(founded, tmp_path, SHOP) == [], "the same again is nothing new"
    assert configuration_of(founded).participants.merchant(502).account == "3020000502"
    done = CliRunner().invoke(terminals_app, invite, catch_exceptions=False)
    assert "Enrols terminal 2001 as a merchant of 502" in done.output


def test_nobody_is_paid_elsewhere_by_one_persons_word(founded: Folder, tmp_path: Path) -> None:
    moved = """
[[operators]]
number = 11
name = "Operator koridor 1-4"
bank = "0113"
account = "2019999999"
"""
    with pytest.raises(ParticipantInvalid, match="second person"):
        put(founded, tmp_path, moved)
    with pytest.raises(ParticipantInvalid, match="another than who enters"):
        put(founded, tmp_path, moved, "--approved-by", "the bank desk")
    assert configuration_of(founded).participants.operators[11].account == "2010000011"
    assert put(founded, tmp_path, moved, "--approved-by", "the treasurer") == [
        {"name": "operator 11", "version": 2}
    ]
    assert configuration_of(founded).participants.operators[11].account == "2019999999"


def test_a_new_name_takes_one_person(founded: Folder, tmp_path: Path) -> None:
    renamed = """
[[agents]]
number = 701
name = "Loket Tugu Muda"
bank = "0113"
account = "2030000701"
"""
    assert put(founded, tmp_path, renamed) == [{"name": "agent 701", "version": 2}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SHOP.replace('"UKE"', '"BIG"'), "no merchant class 'BIG'"),
        (SHOP.replace('"0009"', '"0014"').replace("502", "503"), "at bank 0014, which is no participant"),
        (SHOP.replace("= 502", '= "503"'), "number must be there, and is a whole number"),
        (SHOP + SHOP, "told twice"),
        (SHOP + "owner = 3", "there is no field 'owner'"),
        (SHOP.replace("[[merchants]]", "[[shops]]"), "there is no table 'shops'"),
        ('[agents]\nname = "Loket"', r"write \[\[agents\]\]"),
        ("number = ", "is no TOML"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing_and_says_what_is_wrong(
    founded: Folder, tmp_path: Path, text: str, complaint: str
) -> None:
    before = told(founded, "show")
    with pytest.raises((InputRefused, ParticipantInvalid), match=complaint):
        put(founded, tmp_path, SHOP.replace("502", "509") + text)
    assert told(founded, "show") == before


def test_a_city_without_a_city_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    folder.make()
    vault = FileVault.create(folder.vault, folder.passphrase(new=True))
    with pytest.raises(ParticipantInvalid, match="there must be one city"):
        found_over(folder, vault, SystemClock(), OWN, read(EXAMPLE)[1:])
    assert not folder.has_ledger
    assert not folder.configuration.exists()
