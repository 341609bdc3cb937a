"""`hebat settlement write-offs`: how much may be written off in one entry. Works beside a server."""

from __future__ import annotations

from typing import Annotated

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    tell,
)
from keys.clock import SystemClock
from keys.errors import MoneyError
from keys.money import display, parse

write_offs_app = typer.Typer(help="How much may be written off in one entry.", no_args_is_help=True)
NONE = "none"


@write_offs_app.command()
def show(data: DataOption, as_json: JsonOption = False) -> None:
    """Show the limit."""
    from settlement.breaks.proposals.limits import limit_now  # noqa: PLC0415  loads SQLAlchemy

    with city_database(data) as database, database.transaction() as connection:
        most = limit_now(connection)
    if as_json:
        tell({"at_most_sen": most})
    else:
        typer.echo("There is no limit." if most is None else f"At most {display(most)} in one entry.")


@write_offs_app.command("set")
def set_(
    most: Annotated[str, typer.Argument(help="Rupiah, such as 50000 or 50000.00; none for no limit.")],
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
) -> None:
    """Have no more than this written off in one entry from now on, what waits included."""
    from settlement.breaks.proposals.limits import decide  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    try:
        limit = None if most == NONE else parse(most)
    except MoneyError as error:
        raise InputRefused(str(error)) from None
    with city_database(data) as database:
        page = decide(Rulebook(database), limit, author=author, reason=reason, at=SystemClock().now())
    told = "anything may be written off" if limit is None else f"at most {display(limit)} in one entry"
    typer.echo(f"From now on: {told} (version {page.version}, by {page.author}).")
