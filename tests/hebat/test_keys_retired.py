"""A key that cards need is not retired by the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.keyroom import report
from hebat.keyroom.commands import keys_app
from keys.vault import Role
from tests.ledger.desk import open_scene
from tests.ledger.kiosk import Kiosk

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


def ran(folder: Folder, *arguments: str) -> Result:
    people = ("--present", "Witness A", "--present", "Witness B")
    return CliRunner().invoke(keys_app, [*arguments, *people, "--data", str(folder.root)])


def test_a_version_that_cards_need_is_retired_only_where_somebody_says_yes(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    scene = open_scene(folder, fresh=True)
    with scene.city:
        for _ in range(3):
            scene.card()
    assert ran(folder, "roll", "debit").exit_code == 0
    refused = ran(folder, "retire", "debit", "1")
    assert isinstance(refused.exception, InputRefused)
    assert "would be locked out: 3" in str(refused.exception)
    assert "locked out: 3" in ran(folder, "retire", "debit", "1", "--yes").output
    with open_scene(folder, fresh=False).city as city:
        assert city.vault.versions(Role.DEBIT) == [2]


def test_a_version_that_no_card_needs_any_more_is_retired_without_further_words(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    scene = open_scene(folder, fresh=True)
    with scene.city:
        card = scene.card()
    assert ran(folder, "roll", "debit").exit_code == 0
    again = open_scene(folder, fresh=False)
    with again.city:
        assert Kiosk(again, 3101, again.city.desk).load(card).colour == "green"
    assert [report.locked_out(folder, Role.DEBIT, version) for version in (1, 2)] == [0, 1]
    retired = ran(folder, "retire", "debit", "1")
    assert (retired.exit_code, "locked out" in retired.output) == (0, False)


@pytest.mark.parametrize("role", [Role.TRANSACTION_MAC])
def test_the_refusal_says_which_keys_cards_never_change(tmp_path: Path, role: Role) -> None:
    folder = Folder(tmp_path / "city")
    scene = open_scene(folder, fresh=True)
    with scene.city:
        scene.card()
    assert ran(folder, "roll", role.value).exit_code == 0
    assert "theirs for life" in str(ran(folder, "retire", role.value, "1").exception)


def test_where_there_is_no_ledger_yet_no_card_needs_anything(tmp_path: Path) -> None:
    assert report.locked_out(Folder(tmp_path), Role.DEBIT, 1) == 0
