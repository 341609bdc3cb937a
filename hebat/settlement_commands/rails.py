"""`hebat settlement rails`: what BI-FAST, SKN and RTGS take, cost, and when they are open, by date."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  as above
from typing import Annotated, Any

import typer

from hebat.settlement_commands.drafts import read_json
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    OnDayOption,
    ReasonOption,
    city_database,
    day_or_today,
    show_table,
    tell,
)
from keys.clock import SystemClock

rails_app = typer.Typer(help="Rails: limits, fees and hours, as dated rows.", no_args_is_help=True)


@rails_app.command()
def show(data: DataOption, on: OnDayOption = None, as_json: JsonOption = False) -> None:
    """Show what each rail takes, costs, and when it is open, on a day."""
    from keys.money import display  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from settlement.payments.city import city_rails  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    day = day_or_today(on)
    with city_database(data) as database:
        rules = city_rails(Rulebook(database))
    told: list[dict[str, Any]] = []
    for rail, row in rules.held(day).items():
        hours = rules.hours.on(rail.name, day)
        told.append({
            "rail": rail.name, "over_sen": row.over, "at_most_sen": row.at_most, "fee_sen": row.fee,
            "opens": f"{hours.opens:%H:%M}", "closes": f"{hours.closes:%H:%M}", "bank_days_only": hours.bank_days_only,
            "since": row.valid_from.isoformat(), "source": row.source or "this city's rulebook",
        })  # fmt: skip
    if as_json:
        tell(told)
        return
    rows = [
        [one["rail"], display(one["over_sen"]), "" if one["at_most_sen"] is None else display(one["at_most_sen"]),
         display(one["fee_sen"]), f"{one['opens']}-{one['closes']}", "bank days" if one["bank_days_only"] else "every day",
         one["since"], one["source"]]
        for one in told
    ]  # fmt: skip
    show_table(
        ["rail", "above", "up to", "fee", "open", "on", "since", "read in"],
        rows,
        right=("above", "up to", "fee"),
    )


@rails_app.command("set")
def set_(
    draft: Annotated[Path, typer.Option("--draft", help="The row as JSON: rail, from, until, over, at_most, fee, opens, closes, bank_days_only.")],
    data: DataOption, author: AuthorOption, reason: ReasonOption,
) -> None:  # fmt: skip
    """Keep a dated row of a rail: it holds from its first day on."""
    from settlement.payments.city import rail_rows  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415

    told = read_json(draft)
    terms, _ = rail_rows(told)
    name = f"{terms.rail.name} {terms.valid_from.isoformat()}"
    with city_database(data) as database:
        at = SystemClock().now()
        page = Rulebook(database).add(RuleKind.RAIL, name, told, author=author, reason=reason, at=at)
    typer.echo(f"{terms.rail.name} from {terms.valid_from} on: version {page.version}, by {page.author}.")
