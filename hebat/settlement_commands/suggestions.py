"""`hebat settlement match suggestions`, `accept` and `reject`: pairs that wait for a person, and what the person says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hebat.settlement_commands.desks import acting, looking
from hebat.settlement_commands.match_forms import match_json, suggestion_json
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    show_table,
    tell,
)

if TYPE_CHECKING:
    from settlement.matching.kept import KeptMatch

NumbersArgument = Annotated[
    list[int],
    typer.Argument(min=1, help="Numbers that the list shows; one that cannot be done stops the rest."),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the group of matches."""
    for command in (suggestions, accept, reject):
        app.command()(command)


def suggestions(data: DataOption, limit: LimitOption = 50, as_json: JsonOption = False) -> None:
    """List pairs that may well belong together, and wait for a person."""
    with looking(data) as desks:
        found = desks.matching.suggestions(limit=limit)
    if as_json:
        tell([suggestion_json(one) for one in found])
        return
    if not found:
        typer.echo("No suggestion waits.")
        return
    rows = [[str(one.number), f"{one.score} %", one.reference, str(one.line), one.evidence] for one in found]
    show_table(["number", "likely", "item", "line", "what speaks for it"], rows, right=["number", "likely"])


def accept(
    numbers: NumbersArgument, data: DataOption, author: AuthorOption, as_json: JsonOption = False
) -> None:
    """Make the matches that suggestions propose."""
    with acting(data) as desks:
        for number in numbers:
            show_match(desks.matching.accept(number, author), "made", as_json=as_json)


def reject(numbers: NumbersArgument, data: DataOption, author: AuthorOption, reason: ReasonOption) -> None:
    """Say no to suggestions, for good."""
    with acting(data) as desks:
        for number in numbers:
            desks.matching.reject(number, author, reason)
            typer.echo(f"Suggestion {number} is rejected and will not come back.")


def show_match(one: KeptMatch, what: str, *, as_json: bool) -> None:
    """Print a match of which something became, as a sentence or as JSON."""
    if as_json:
        tell(match_json(one))
    else:
        typer.echo(f"Match {one.number} is {what}: {', '.join((*one.items, *map(str, one.lines)))}.")
