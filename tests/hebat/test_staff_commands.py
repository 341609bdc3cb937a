"""The `hebat staff` commands, as an operator types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.cli import app
from hebat.folder import Folder
from ledger.store import Database
from settlement.errors import StaffError, StaffRefused
from settlement.staff.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

WORDS = "seven grey herons"


@pytest.fixture
def city(tmp_path: Path) -> Path:
    folder = Folder(tmp_path)
    folder.root_certificate.write_text("a city", encoding="utf-8")
    Database(folder.database_url).create(metadata)
    return tmp_path


def staff(city: Path, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["staff", *arguments, "--data", str(city)], input=typed)


def test_an_account_is_added_listed_changed_reset_and_disabled(city: Path) -> None:
    added = staff(city, "add", "maker", "--roles", "maker", typed=f"{WORDS}\n{WORDS}\n")
    assert added.exit_code == 0, added.output
    assert WORDS not in added.output
    assert staff(city, "roles", "maker", "checker,maker").exit_code == 0
    (told,) = json.loads(staff(city, "list", "--json").output)
    assert (told["roles"], told["state"]) == (["checker", "maker"], "first sign-in to come")
    shown = ("--proof", "identity card shown at the desk")
    assert staff(city, "reset", "maker", *shown, typed=f"{WORDS}!\n{WORDS}!\n").exit_code == 0
    assert staff(city, "disable", "maker").exit_code == 0
    assert "disabled" in staff(city, "list").output
    log = json.loads(staff(city, "log", "--json").output)
    assert log["entries"] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "maker", "--roles", "king"),
        ("disable", "nobody"),
        ("roles", "nobody", "maker"),
        ("roles", "nobody", "maker,auditor"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(city: Path, arguments: tuple[str, ...]) -> None:
    ran = staff(city, *arguments, typed=f"{WORDS}\n{WORDS}\n")
    assert isinstance(ran.exception, StaffRefused)
    assert "\n" not in str(ran.exception)


def test_a_weak_password_makes_no_account(city: Path) -> None:
    ran = staff(city, "add", "maker", "--roles", "maker", typed="short\nshort\n")
    assert isinstance(ran.exception, StaffError)
    assert json.loads(staff(city, "list", "--json").output) == []
