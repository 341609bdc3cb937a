"""`hebat settlement calendar`: which days banks work, and decisions about single days. Works beside a server."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    show_table,
    tell,
)
from keys.clock import SystemClock, day_of, local

calendar_app = typer.Typer(help="Bank days: show them, and decide about single days.", no_args_is_help=True)

DayArgument = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day.")]
YearOption = Annotated[int | None, typer.Option("--year", help="Which year; this one without it.")]


@calendar_app.command()
def show(data: DataOption, year: YearOption = None, as_json: JsonOption = False) -> None:
    """Show the weekdays of a year on which banks do not work, and every decision about single days."""
    from settlement.calendar.city import city_calendar  # noqa: PLC0415  loads holidays and SQLAlchemy
    from settlement.calendar.indonesia import FIRST_YEAR, LAST_YEAR, SOURCE  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415

    wanted = year or local(SystemClock().now()).year
    if not FIRST_YEAR <= wanted <= LAST_YEAR:
        raise InputRefused(f"the calendar covers {FIRST_YEAR} to {LAST_YEAR}")
    with city_database(data) as database:
        rulebook = Rulebook(database)
        closed = city_calendar(rulebook).closures(date(wanted, 1, 1), date(wanted, 12, 31))
        decided = [page for page in rulebook.current(RuleKind.BANK_DAY) if page.name.startswith(f"{wanted}-")]
    if as_json:
        tell({
            "year": wanted, "source": SOURCE,
            "closed": [{"day": day.isoformat(), "because": why, "estimated": guess} for day, why, guess in closed],
            "decisions": [_decision(page) for page in decided],
        })  # fmt: skip
        return
    show_table(
        ["day", "", "banks are closed"],
        [[str(day), f"{day:%a}", why + (" (estimated)" if guess else "")] for day, why, guess in closed],
    )
    for page in decided:
        told = _decision(page)
        typer.echo(f"{page.name}: {told['banks']} by decision of {page.author} ({page.reason})")
    typer.echo(f"Source: {SOURCE}.")


@calendar_app.command()
def decide(
    day: DayArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    closed: Annotated[bool | None, typer.Option("--closed/--open", help="Whether banks work.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Take earlier decisions about the day back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide that banks work, or do not, on a day: a decree that changed, a flood, an election."""
    from settlement.calendar.city import decide as keep  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    if (closed is None) != back:
        raise InputRefused("say one of --closed, --open or --back")
    with city_database(data) as database:
        page = keep(
            Rulebook(database),
            day_of(day.date()),
            is_open=None if closed is None else not closed,
            author=author,
            reason=reason,
            at=SystemClock().now(),
        )
    if as_json:
        tell(_decision(page))
    else:
        typer.echo(f"{page.name}: {_decision(page)['banks']} (version {page.version}, by {page.author}).")


def _decision(page: Any) -> dict[str, Any]:
    banks = {True: "banks work", False: "banks are closed", None: "as the calendar has it"}
    return {
        "day": page.name,
        "banks": banks[page.told["open"]],
        "version": page.version,
        "by": page.author,
        "reason": page.reason,
    }
