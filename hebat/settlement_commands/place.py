"""What the settlement commands share: where the city is, who acts, and how an answer is told."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hebat.folder import Folder, no_city
from hebat.printed import console
from keys.clock import SystemClock, day_of, local

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keys.clock import Day
    from ledger.store import Database

DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
AuthorOption = Annotated[str, typer.Option("--by", help="Who does this: your name, which is kept with it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for those who read it later.")]
OnDayOption = Annotated[
    datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="On which day; today without it.")
]


@contextmanager
def city_database(data: Path) -> Iterator[Database]:
    """The database of a city's folder, beside a server or without one; raises InputRefused where there is no city."""
    from hebat.migrations.upgrade import require_newest  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.store import Database  # noqa: PLC0415

    folder = Folder(data)
    if not folder.has_ledger:
        raise no_city(data)
    database = Database(folder.database_url)
    try:
        database.check()
        with database.transaction() as connection:
            require_newest(connection)
        yield database
    finally:
        database.close()


def tell(document: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table; the columns in `right` hold figures."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def day_or_today(day: datetime | None) -> Day:
    """The day that was named, or the city's today."""
    return day_of(day.date() if day else local(SystemClock().now()).date())
