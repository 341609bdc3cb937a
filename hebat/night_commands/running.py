"""`hebat settle` and `hebat night`.

Exit codes: 0 the night is done and nothing is left to look at; 3 done, with breaks or figures to look at; 2 refused, the sentence says what to
mend; 4 another process holds the ledger, come later; 1 the books do not agree with themselves: call whoever answers for them, now.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hebat.errors import LawBroken
from hebat.ledger_commands.place import DatabaseOption, DataOption, JsonOption, console_of, place_of
from hebat.logs import configure
from hebat.settings import LogLevel
from ledger.errors import DatabaseDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    from hebat.progress import Progress
    from hebat.wiring import City
    from keys.clock import Day
    from settlement.night.steps import Step
    from settlement.view import NightReport

TO_LOOK_AT: Final = 3
DayOption = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], help="The business date; without it, all that are over and not settled."),
]  # fmt: skip


def settle(
    data: DataOption,
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The business date.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a business date's window and settle it, and put released payment files out: the first half of a night."""
    from hebat.night_commands.screen import show  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.night_commands.telling import as_told  # noqa: PLC0415
    from keys.clock import day_of  # noqa: PLC0415

    console, progress = _console(machine=as_json)
    with _city(data, database) as city, _steps(progress, 4) as told:
        business_date = day_of(day.date())
        city.night.settle(business_date, told)
        city.night.write_files(business_date)
        found = as_told(city, business_date)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        show(found, console)


def night(
    data: DataOption, day: DayOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Run the night: fares put right, window closed and settled, payment files, statements, matching, three-way report."""
    from hebat.night_commands.screen import show  # noqa: PLC0415  as above
    from hebat.night_commands.telling import as_told  # noqa: PLC0415
    from keys.clock import day_of  # noqa: PLC0415

    console, progress = _console(machine=as_json)
    done = []
    with _city(data, database) as city:
        wanted = [day_of(day.date())] if day else _due(city)
        for business_date in wanted:
            report = _run(city, business_date, progress)
            done.append((as_told(city, business_date), report))
            if not as_json:
                show(done[-1][0], console)
    if as_json:
        typer.echo(json.dumps([told for told, _ in done], indent=1))
    _end([report for _, report in done])


def _console(*, machine: bool) -> tuple[Console, Progress]:
    """Where to print; what the ledger logs as it opens is no part of a night's report."""
    found = console_of(machine=machine)
    configure(LogLevel.WARNING)
    return found


def _due(city: City) -> list[Day]:
    """The business dates to run: all that are due, or the last one that was settled, once more."""
    due = city.night.due()
    return due or [city.night.last_settled()]


def _run(city: City, business_date: Day, progress: Progress) -> NightReport:
    with _steps(progress, 7) as told:
        return city.night.run(business_date, told)


@contextmanager
def _steps(progress: Progress, count: int) -> Iterator[Callable[[Step], None]]:
    """Progress over a night's steps."""
    begun = 0
    with progress.step("The night", count) as done:

        def told(_step: Step) -> None:
            nonlocal begun
            done(begun)
            begun += 1

        yield told


@contextmanager
def _city(data: Path, database: str | None) -> Iterator[City]:
    """The city, open for a night; damage in its books is no matter for tomorrow."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  as above
    from hebat.wiring import City  # noqa: PLC0415
    from keys.clock import SystemClock  # noqa: PLC0415

    folder = place_of(data, database).folder
    assert folder is not None  # noqa: S101  --data is asked for
    try:
        with City(folder, configuration_of(folder), SystemClock()) as city:
            yield city
    except DatabaseDamaged as error:
        raise LawBroken(str(error)) from error


def _end(reports: list[NightReport]) -> None:
    """The exit code of a run."""
    if any(not report.is_sound for report in reports):
        raise typer.Exit(LawBroken.exit_code)
    if any(report.to_look_at for report in reports):
        raise typer.Exit(TO_LOOK_AT)
