"""Every command that a page shows is run, in the page's order and in a folder of its own, and says what the page shows; those in its sentences are there."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import typer

from hebat.cli import app
from tests.ports import held_ports
from tests.system.conftest import ROOT
from tests.system.docs_shell import Command, Shell, blocks, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.card.pcscd import Pcscd
    from tests.system.conftest import Demo

pytest_plugins = ["tests.card.pcscd_fixtures"]

PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")))
SPAN = re.compile(r"`([^`\n]+)`|^(?:\$ )?((?:\./run|hebat) [^\n]+)", re.MULTILINE)
OWN = {"test", "check", "bench", "fuzz", "pin", "help"}
"""Commands of the script `run` itself; tests/system/test_run_script.py runs them."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def story(page: str) -> list[Command]:
    """What a page has somebody type, in its order."""
    return [command for why, commands in blocks(text_of(page)) if not why for command in commands]


def needs_reader(page: str) -> bool:
    return any(re.search(r"\brun card (?!profile|block|reports)", command.text) for command in story(page))


STORIES = [page for page in PAGES if story(page)]


@pytest.fixture
def shell(tmp_path: Path, demo: Demo) -> Iterator[Shell]:
    """A shell whose server has a port of its own, and in which a demo day was kept."""
    with held_ports() as port, Shell(tmp_path / "checkout", demo.folder, port=port) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("page", STORIES)
def test_the_commands_of_a_page_run_in_its_order_and_say_what_it_shows(
    page: str, shell: Shell, request: pytest.FixtureRequest
) -> None:
    if needs_reader(page):
        place: Pcscd = request.getfixturevalue("pcscd_place")
        if not place.running:
            place.start()
        shell.reader_port = place.port
    commands = story(page)
    for command in commands:
        said = shell.type(command)
        if "--keep" not in command.text:
            assert missing(command.shown, said) == [], f"$ {command.text}\n{said}"


def test_what_is_not_run_says_why() -> None:
    reasons = [why for page in PAGES for why, _ in blocks(text_of(page)) if why]
    assert all(len(why.split()) > 3 for why in reasons)
    assert {page for page in PAGES if "```console" in text_of(page)} == {
        page for page in PAGES if blocks(text_of(page))
    }
    assert "```sh" not in "".join(map(text_of, PAGES)), "commands stand in blocks of kind console"


@cache
def tree() -> Any:
    return typer.main.get_command(app)


def wrong_in(command: str) -> str:
    """What of a command is not there: its name, or an option; "" where all is."""
    words = [word.strip("[]`,.;:()") for word in re.sub(r"\s+# .*", "", command).split()[1:]]
    here = tree()
    if words and words[0] in OWN:
        return ""
    for word in words:
        commands = getattr(here, "commands", None)
        if commands is None or word.startswith("-"):
            break
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            return ""  # a form such as `hebat settlement ...`
        found = commands.get(word)
        if found is None:
            return f"no command {word!r}"
        here = found
    if here.context_settings.get("allow_extra_args"):  # it hands them on, as `card trace` does
        return ""
    known = {option for one in here.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    lost = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return "" if hasattr(here, "commands") or not lost else f"no option {lost[0]}"


def test_commands_in_sentences_are_there_with_their_options() -> None:
    found = {
        (page, command): wrong_in(command)
        for page in PAGES
        for one in SPAN.finditer(text_of(page))
        for command in (one[1] or one[2]).split(" && ")
        if command.startswith(("./run ", "hebat "))
    }
    assert len(found) > 100
    assert {key: why for key, why in found.items() if why} == {}


def test_a_command_or_an_option_that_is_not_there_is_found() -> None:
    assert wrong_in("./run ledger verified --data CITY") == "no command 'verified'"
    assert wrong_in("hebat night --data CITY --dates 2026-11-18") == "no option --dates"


def test_what_a_page_shows_is_held_against_what_was_said() -> None:
    said = "whole: 346 blocks chained to face13ae7de2\n923 transfers of Rp27.387.500\n"
    assert missing(("whole: 9 blocks chained to 00000000aa", "[...] transfers of Rp1"), said) == []
    assert missing(("whole: 346 blocks",), said) == ["whole: 346 blocks"]
