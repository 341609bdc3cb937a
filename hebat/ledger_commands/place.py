"""Where a ledger is: in a city's folder, or in a database that is named. What the ledger's commands have in common."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.logs import configure
from hebat.printed import console
from hebat.progress import Quiet, Shown
from hebat.settings import named_database, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from hebat.progress import Progress
    from ledger.store import Database


DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
PerhapsDataOption = Annotated[
    Path | None, typer.Option("--data", help="The city's data folder: its ledger, and its keys.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", help="The ledger's database, such as postgresql+psycopg2:///city (HEBAT_DATABASE_URL)."),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger's database, and the city's folder where there is one."""

    url: str
    folder: Folder | None

    @property
    def has_keys(self) -> bool:
        """True where the city's vault is at hand, so that what it signed can be checked or signed."""
        return self.folder is not None and self.folder.vault.exists()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database, opened and closed; raises DatabaseMissing where there is no ledger in it."""
        from ledger.store import Database  # noqa: PLC0415  SQLAlchemy loads only where it is needed

        database = Database(self.url)
        try:
            database.need_ledger()
            yield database
        finally:
            database.close()


def place_of(data: Path | None, database: str | None) -> Place:
    """Where the options say that the ledger is; raises InputRefused where they say nothing, or no database's address."""
    named = named_database(database)
    if data is not None:
        folder = Folder(data, named)
        return Place(folder.database_url, folder)
    if not named:
        raise InputRefused("which ledger? Name a folder with --data, or a database with --database")
    return Place(named, None)


def console_of(*, machine: bool) -> tuple[Console, Progress]:
    """Where to print, and how progress is shown: for machines on standard error, without bars. Logs follow HEBAT_LOG_LEVEL."""
    configure(read_settings().log_level)
    out = console(machine=machine)
    return out, Quiet() if machine else Shown(out)
