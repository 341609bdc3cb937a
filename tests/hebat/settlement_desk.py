"""A founded city's folder without its keys, as the settlement commands need it, and a shell in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from hebat.folder import Folder
from hebat.migrations.upgrade import stamp
from hebat.schema import TABLES
from hebat.settlement_commands.app import settlement_app
from ledger.store import Database
from tests.empty import new_ledger

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shell:
    """`hebat settlement` in a city's folder."""

    folder: Folder

    def ran(self, *words: object) -> str:
        """What a command prints; it must end well, and its errors are raised."""
        arguments = [*map(str, words), "--data", str(self.folder.root)]
        done = CliRunner().invoke(settlement_app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def told(self, *words: object) -> Any:
        """The same as JSON."""
        return json.loads(self.ran(*words, "--json"))

    def database(self) -> Database:
        """The city's database; the caller closes it."""
        return Database(self.folder.database_url)


def open_shell(root: Path) -> Shell:
    """A new city's folder with an empty ledger and the demo's participants."""
    folder = Folder(root)
    root.mkdir(parents=True, exist_ok=True)
    folder.configuration.write_text("demo", encoding="utf-8")
    new_ledger(folder.database_url, *TABLES).close()
    stamp(folder.database_url)
    return Shell(folder)
