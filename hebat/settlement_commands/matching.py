"""`hebat settlement match`: run the rules, try others, undo, match by hand, and decide on suggestions."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands import suggestions
from hebat.settlement_commands.desks import acting, looking
from hebat.settlement_commands.match_forms import key_text, line_key, match_json
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    day_or_today,
    show_table,
    tell,
)
from hebat.settlement_commands.suggestions import LimitOption, NumbersArgument, show_match
from keys.clock import day_of, local
from keys.money import display

if TYPE_CHECKING:
    from settlement.matching.trying import Changes, Would

match_app = typer.Typer(
    help="Matches: run the rules, try others, undo, decide on suggestions.", no_args_is_help=True
)

NumberArgument = Annotated[int, typer.Argument(min=1, help="The number that the list shows.")]
DateOption = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], help="The night's business date; today without it."),
]
RulesArgument = Annotated[Path, typer.Argument(help="Rules as JSON; begin with what `match rules` prints.")]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path} cannot be read: {error}") from None


@match_app.command()
def run(data: DataOption, day: DateOption = None, as_json: JsonOption = False) -> None:
    """Match everything that is open by the rules in force. Running it again changes nothing."""
    with acting(data) as desks:
        done = desks.matching.run(day_or_today(day))
        sums = desks.breaks.sums()
    told = {
        "matches": done.found.count, "breaks": len(done.breaks), "waiting": len(done.waiting), "movement": sums.movement,
        "matched": sums.matched, "in_breaks": sums.in_breaks, "in_suspense": sums.in_suspense, "adds_up": sums.adds_up,
    }  # fmt: skip
    if as_json:
        tell(told)
    else:
        typer.echo(
            f"{told['matches']} new matches; {told['breaks']} breaks; {told['waiting']} items wait for a statement."
        )
        parts = f"matched {display(sums.matched)} + in breaks {display(sums.in_breaks)} + in suspense {display(sums.in_suspense)}"
        typer.echo(
            f"{parts} {'=' if sums.adds_up else 'is not'} {display(sums.movement)}, the statements' movement"
        )
    if not sums.adds_up:
        raise typer.Exit(1)


@match_app.command("dry-run")
def dry_run(
    rules: RulesArgument,
    data: DataOption,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first business date.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last business date.")],
    as_json: JsonOption = False,
) -> None:
    """Say what other rules would have made of a past month: matches won, lost, different. Writes nothing."""
    body = _text(rules)
    with looking(data) as desks:
        found = desks.matching.dry_run(body, day_of(first.date()), day_of(last.date()))
    if as_json:
        tell(_changes(found))
        return
    typer.echo(
        f"{len(found.won)} won, {len(found.lost)} lost, {len(found.different)} different, {found.same} the same."
    )
    rows = [["won", *_row(one)] for one in found.won] + [["lost", *_row(one)] for one in found.lost]
    rows += [row for had, would in found.different for row in (["had", *_row(had)], ["would", *_row(would)])]
    if rows:
        show_table(["", "rule", "items", "lines"], rows)


def _row(one: Would) -> list[str]:
    return [one.rule, ", ".join(one.items), ", ".join(map(str, one.lines))]


def _changes(found: Changes) -> dict[str, Any]:
    def told(one: Would) -> dict[str, Any]:
        return {
            "match": one.number,
            "rule": one.rule,
            "items": one.items,
            "lines": [key_text(line) for line in one.lines],
        }

    return {
        "won": [told(one) for one in found.won],
        "lost": [told(one) for one in found.lost],
        "different": [{"had": told(had), "would": told(would)} for had, would in found.different],
        "same": found.same,
        "by_rule": dict(found.by_rule),
    }


@match_app.command()
def rules(
    data: DataOption,
    put: Annotated[Path | None, typer.Option("--put", help="Put these rules (JSON) in force.")] = None,
    author: Annotated[str, typer.Option("--by", help="Who does this, with --put.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, with --put.")] = "",
) -> None:
    """Print the rules in force as JSON, or put others in force: as the next version, for runs from now on."""
    with looking(data) as desks:
        if put is None:
            typer.echo(desks.matching.rules().body)
            return
        made = desks.matching.put_rules(_text(put), reason, author)
    typer.echo(f"Rules of version {made.version} are in force, by {author}.")


@match_app.command("list")
def list_(
    data: DataOption,
    undone: Annotated[bool, typer.Option("--undone", help="Undone ones as well.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List matches, the newest first."""
    with looking(data) as desks:
        found = desks.matching.matches(0, limit, undone=undone)
    if as_json:
        tell([match_json(one) for one in found])
        return
    if not found:
        typer.echo("Nothing is matched yet.")
        return
    rows = [
        [str(one.number), one.rule, f"{one.confidence} %", ", ".join(one.items) or "-", ", ".join(map(str, one.lines)) or "-",
         f"undone by {one.undone_by}" if one.undone_by else one.made_by]
        for one in found
    ]  # fmt: skip
    show_table(["match", "rule", "sure", "items", "lines", "by"], rows, right=["match", "sure"])


@match_app.command()
def show(number: NumberArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Show a match: rule, confidence, who, when, items and lines, and whether it was undone."""
    with looking(data) as desks:
        one = desks.matching.match(number)
    if as_json:
        tell(match_json(one))
        return
    typer.echo(
        f"Match {one.number}: {one.rule} ({one.confidence} %), by {one.made_by} at {local(one.made_at):%Y-%m-%d %H:%M}."
    )
    for name in one.items:
        typer.echo(f"  item {name}")
    for line in one.lines:
        typer.echo(f"  line {key_text(line)}")
    if one.difference:
        typer.echo(f"  difference {display(one.difference)}: {one.evidence}")
    if one.undone_by:
        typer.echo(f"  undone by {one.undone_by}: {one.undone_why}")


@match_app.command()
def undo(
    numbers: NumbersArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Undo matches: they stay as undone, their items and lines are open, and no rule puts them together again."""
    with acting(data) as desks:
        for number in numbers:
            show_match(desks.matching.undo(number, author, reason), "undone", as_json=as_json)


@match_app.command()
def pair(
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    items: Annotated[
        list[str] | None, typer.Option("--item", help="An item's reference; may be said again.")
    ] = None,
    lines: Annotated[
        list[str] | None, typer.Option("--line", help="A line as digest/statement/number; may be said again.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Match items and lines by hand. A difference between them becomes a break."""
    keys = [line_key(text) for text in lines or []]
    with acting(data) as desks:
        show_match(desks.matching.pair(items or [], keys, author, reason), "made", as_json=as_json)


suggestions.add_to(match_app)
