"""Progress of the commands that last: a bar on a terminal, lines in a file, nothing for machines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from rich.console import Console

from hebat.cli import main
from hebat.ledger_commands import place
from hebat.schema import TABLES
from keys.clock import SystemClock
from ledger.book import Ledger
from tests.empty import new_ledger
from tests.ledger.entries import transfer

if TYPE_CHECKING:
    from pathlib import Path

BAR = "\u2501"
LAST = "1/1"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with a closed business date and one that is open."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    new_ledger(url, *TABLES).close()
    with Ledger.open(url, SystemClock()) as ledger:
        ledger.post([transfer()] * 5)
        ledger.close_window(ledger.open_window())
        ledger.post([transfer()])
    return url


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["hebat", *map(str, arguments)])
    monkeypatch.setattr("hebat.cli.forbid_dumps", lambda: None)
    monkeypatch.setenv("HEBAT_LOG_LEVEL", "error")
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
    structlog.reset_defaults()


def commands(url: str, folder: Path) -> dict[str, tuple[str | Path, ...]]:
    """Every command that walks through a ledger, by the step that it shows first."""
    where = ("--database", url)
    empty = f"sqlite:///{folder / 'empty.db'}"
    new_ledger(empty, *TABLES).close()
    return {
        "Chain, rows, sums, balances": ("verify", *where),
        "Opening, and writing the snapshot": ("snapshot", *where),
        "Journal, balances, snapshot, pages": ("rebuild", *where),
        "Journal, tables": ("export", "--to", folder / "out", *where),
        "Files, chain, replay, checkpoints": ("import", folder / "out", "--database", empty),
    }


@pytest.mark.parametrize("on_terminal", [True, False])
def test_each_command_that_walks_through_a_ledger_shows_how_far_it_is(
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    on_terminal: bool,
) -> None:
    def console(*, machine: bool = False) -> Console:
        return Console(stderr=machine, highlight=False, force_terminal=on_terminal, width=160)

    monkeypatch.setattr(place, "console", console)
    for step, words in commands(url, tmp_path).items():
        run(monkeypatch, "ledger", *words)
        said = capsys.readouterr().out
        assert (words[0], step in said, LAST in said, BAR in said) == (words[0], True, True, True), said
        assert ("\x1b[" in said) is on_terminal, words[0]


@pytest.mark.parametrize("command", ["verify", "snapshot", "rebuild"])
def test_machines_are_shown_no_progress(
    url: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "ledger", command, "--database", url, "--json")
    said: Any = capsys.readouterr()
    assert json.loads(said.out)
    assert BAR not in said.out + said.err
