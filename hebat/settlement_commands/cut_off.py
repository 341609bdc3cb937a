"""`hebat settlement cut-off`: when business dates end, as dated rows. Works beside a server."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated

import typer

from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    show_table,
    tell,
)
from keys.clock import SystemClock, date_of, day_of

cut_off_app = typer.Typer(help="When business dates end, as dated rows.", no_args_is_help=True)


@cut_off_app.command()
def show(data: DataOption, as_json: JsonOption = False) -> None:
    """Show the cut-offs, each with its first day."""
    from ledger.windows import CUT_OFF  # noqa: PLC0415  loads SQLAlchemy
    from settlement.calendar.cut_off import rows  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    with city_database(data) as database:
        found = rows(Rulebook(database))
    shipped = {"from": "", "ends": f"{time(CUT_OFF.seconds // 3600):%H:%M}", "by": "", "reason": "as shipped"}
    told = [
        shipped,
        *({"from": date_of(row.valid_from).isoformat(), "ends": f"{row.ends:%H:%M}", "by": row.author, "reason": row.reason} for row in found),
    ]  # fmt: skip
    if as_json:
        tell(told)
    else:
        show_table(list(shipped), [list(one.values()) for one in told])


@cut_off_app.command("set")
def set_(
    ends: Annotated[datetime, typer.Argument(formats=["%H:%M"], help="The time of day, such as 22:30.")],
    first: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day; later than today.")
    ],
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
) -> None:
    """Have business dates end at another time from a day on."""
    from settlement.calendar.cut_off import decide  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    with city_database(data) as database:
        day = day_of(first.date())
        page = decide(
            Rulebook(database), day, ends.time(), author=author, reason=reason, at=SystemClock().now()
        )
    typer.echo(
        f"From {page.name} on business dates end at {ends:%H:%M} (version {page.version}, by {page.author})."
    )
