"""`hebat settle` and `hebat night`.

Exit codes: 0 the night is done and nothing is left to look at; 5 done, with breaks or figures to look at; 2 refused, the sentence says what to
mend; 4 another process holds the ledger, or the server that ran it ended: come again; 1 the books do not agree with themselves, 3 the database
is damaged: call whoever answers for them, now.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hebat.ledger_commands.place import DatabaseOption, DataOption, JsonOption, console_of, place_of
from hebat.logs import configure
from hebat.settings import LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hebat.folder import Folder
    from hebat.night_commands.work import Done, Wanted
    from hebat.progress import Progress

STEPS: Final = 9
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
    done = _done(data, database, day, as_json=as_json, only_settle=True)
    if as_json:
        typer.echo(json.dumps(done.nights[0], indent=1))


def night(
    data: DataOption, day: DayOption = None, database: DatabaseOption = None, as_json: JsonOption = False,
    whole: Annotated[bool, typer.Option("--whole", help="Rebuild balances from the first transfer on, as each month's last night does.")] = False,
) -> None:  # fmt: skip
    """Run the night: fares put right, window closed and settled, payment files, statements, matching, three-way report.

    Beside a running server that server runs it, and goes on posting taps.
    """
    done = _done(data, database, day, as_json=as_json, whole=whole)
    if as_json:
        typer.echo(json.dumps(done.nights, indent=1))
    if done.code:
        raise typer.Exit(done.code)


def _done(
    data: Path,
    database: str | None,
    day: datetime | None,
    *,
    as_json: bool,
    only_settle: bool = False,
    whole: bool = False,
) -> Done:
    """Have it done, by the server that has the city or by this process, and show it."""
    from hebat.night_commands.screen import show  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.night_commands.work import Wanted  # noqa: PLC0415
    from keys.clock import day_of  # noqa: PLC0415

    console, progress = console_of(machine=as_json)
    configure(LogLevel.WARNING)  # what the ledger logs as it opens is no part of a night's report
    folder = place_of(data, database).folder
    assert folder is not None  # noqa: S101  --data is asked for
    wanted = Wanted(None if day is None else day_of(day.date()), only_settle, whole)
    with _steps(progress) as told:
        done = _by_whom(folder, wanted, told)
    if not as_json:
        for one in done.nights:
            show(one, console, "" if only_settle else str(folder.night(one["business_date"])))
    return done


def _by_whom(folder: Folder, wanted: Wanted, told: Callable[[str], object]) -> Done:
    """The server that serves the folder, where one does; else this process."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  as above
    from hebat.night_commands.door import asked  # noqa: PLC0415
    from hebat.night_commands.work import carry_out  # noqa: PLC0415
    from hebat.wiring import City  # noqa: PLC0415
    from keys.clock import SystemClock  # noqa: PLC0415

    done = asked(folder.root, wanted, told)
    if done is not None:
        return done
    with City(folder, configuration_of(folder), SystemClock()) as city:
        return carry_out(city, wanted, told)


@contextmanager
def _steps(progress: Progress) -> Iterator[Callable[[str], None]]:
    """Progress over steps; of how many nights there will be, nobody knows before."""
    begun = 0
    with progress.step("The night", STEPS) as done:

        def told(_step: str) -> None:
            nonlocal begun
            done(min(begun, STEPS))
            begun += 1

        yield told
