"""The reference that the program prints of itself has each command, each option and each setting, and says what each is for."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version

import typer
from typer.testing import CliRunner

from hebat.cli import BOOKS, CITY, DEVICES, PROJECT, SELF, TRY, app
from hebat.reference import SECRETS, commands
from hebat.settings import Settings
from tests.test_tidy import ROOT

TREE = typer.main.get_command(app)
ROW = re.compile(r"^\| (.+?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


@cache
def page() -> str:
    ran = CliRunner().invoke(app, ["reference"])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_each_command_is_there_with_what_it_does() -> None:
    told = dict(re.findall(r"^### `hebat ([^`]+)`\n\n(.*)$", page(), re.MULTILINE))
    assert set(told) == {path for path, _ in commands(TREE)}
    assert len(told) > 100
    assert {path for path, what in told.items() if len(what.split()) < 3} == set()


def test_each_option_is_in_its_commands_table() -> None:
    for path, command in commands(TREE):
        section = page().partition(f"### `hebat {path}`\n")[2].partition("\n###")[0]
        for one in command.params:
            if one.name != "help" and one.param_type_name == "option":
                assert f"`{one.opts[0]}`" in section, (path, one.opts)


def test_each_setting_says_what_it_is_for() -> None:
    rows = {name.strip("`"): what for name, what, _ in ROW.findall(page().partition("## Settings")[2])}
    assert {f"HEBAT_{name.upper()}" for name in Settings.model_fields} | set(SECRETS) <= rows.keys()
    assert {
        name for name, what in rows.items() if name.startswith("HEBAT_") and len(what.split()) < 4
    } == set()


def test_each_variable_that_the_program_reads_is_a_setting_or_a_secret() -> None:
    named = {
        name
        for package in ("card", "hebat", "keys", "ledger", "settlement", "terminals")
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"environ(?:\.get)?[\[(]\"(HEBAT_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
    known = {f"HEBAT_{name.upper()}" for name in Settings.model_fields} | set(SECRETS)
    assert named - known == set()


def test_every_command_stands_in_a_group_of_the_help_and_the_version_is_told() -> None:
    panels = {one.rich_help_panel for one in app.registered_commands}
    assert panels | {one.rich_help_panel for one in app.registered_groups} == {
        TRY,
        CITY,
        DEVICES,
        BOOKS,
        SELF,
    }
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.output) == (0, f"hebat {version(PROJECT)}\n")
