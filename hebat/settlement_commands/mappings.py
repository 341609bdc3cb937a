"""`hebat settlement mappings`: how banks' tables are read. A mapping is tried on a file before it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.drafts import read_json
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    show_table,
    tell,
)
from keys.clock import SystemClock, local

if TYPE_CHECKING:
    from settlement.rulebook.model import Page
    from settlement.statements.model import Reading

mappings_app = typer.Typer(
    help="Mappings: how a bank's table (CSV, text, XLSX) is read.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(help="The mapping's name.")]
DraftOption = Annotated[Path, typer.Option("--draft", help="The mapping as JSON.")]


@mappings_app.command("list")
def list_(data: DataOption, as_json: JsonOption = False) -> None:
    """List the mappings that hold."""
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415  loads SQLAlchemy
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415

    with city_database(data) as database:
        pages = Rulebook(database).current(RuleKind.MAPPING)
    if as_json:
        tell([_as_json(page) for page in pages])
    elif not pages:
        typer.echo("No mapping was made yet.")
    else:
        rows = [
            [page.name, str(page.version), page.author, f"{local(page.made_at):%Y-%m-%d}", page.reason]
            for page in pages
        ]
        show_table(["mapping", "version", "by", "on", "why"], rows, right=("version",))


@mappings_app.command()
def show(name: NameArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Show a mapping, to be changed and added again; with --json all of its versions."""
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415  as above
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415

    with city_database(data) as database:
        pages = Rulebook(database).history(RuleKind.MAPPING, name)
    if not pages:
        raise InputRefused(f"there is no mapping {name!r}: `hebat settlement mappings list` shows them")
    tell([_as_json(page) for page in pages] if as_json else pages[-1].told)


@mappings_app.command("try")
def try_(
    file: Annotated[Path, typer.Argument(help="A file as the bank sent it.")],
    draft: DraftOption,
    as_json: JsonOption = False,
) -> None:
    """Show the lines that a draft would read from a file; nothing is kept."""
    from settlement.statements.mapped.mapping import mapping_of  # noqa: PLC0415
    from settlement.statements.reading import Reader  # noqa: PLC0415

    mapping = mapping_of("draft", 1, read_json(draft))
    if not file.is_file():
        raise InputRefused(f"there is no file {file}")
    told = Reader(mappings=(mapping,)).read(file.read_bytes())
    if as_json:
        tell(_reading_json(told))
        return
    for statement in told.statements:
        typer.echo(
            f"Account {statement.account}, {statement.opening_date} to {statement.closing_date}, {statement.currency}"
        )
        _show_lines(statement)
    for remark in told.remarks:
        typer.echo(remark.text)
    typer.echo("Nothing was kept: `hebat settlement mappings add` keeps the mapping.")


@mappings_app.command()
def add(
    name: NameArgument, draft: DraftOption, data: DataOption, author: AuthorOption, reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Keep a mapping: a new one, or a new version of one."""
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415  as above
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415
    from settlement.statements.mapped.mapping import mapping_of  # noqa: PLC0415

    told = read_json(draft)
    mapping_of(name, 1, told)  # refuses what is none, before it is kept
    with city_database(data) as database:
        at = SystemClock().now()
        page = Rulebook(database).add(RuleKind.MAPPING, name, told, author=author, reason=reason, at=at)
    if as_json:
        tell(_as_json(page))
    else:
        typer.echo(f"Mapping {page.name}, version {page.version}, holds from now on.")


def _show_lines(statement: Any) -> None:
    from keys.money import display  # noqa: PLC0415

    rows = [
        [str(line.source_line), f"{line.booking_date}", display(line.amount), line.reference, line.text[:60]]
        for line in statement.lines
    ]
    show_table(["line", "booked", "amount", "reference", "text"], rows, right=("line", "amount"))
    balances = f"opening {display(statement.opening)}, closing {display(statement.closing)}"
    typer.echo(
        balances if statement.balanced else f"no balances; the lines move {display(statement.closing)}"
    )


def _reading_json(told: Reading) -> dict[str, Any]:
    return {
        "statements": [
            {
                "account": one.account, "currency": one.currency, "balanced": one.balanced,
                "from": one.opening_date.isoformat(), "opening_sen": one.opening,
                "to": one.closing_date.isoformat(), "closing_sen": one.closing,
                "lines": [
                    {
                        "source_line": line.source_line, "booked": line.booking_date.isoformat(),
                        "value": line.value_date.isoformat(), "amount_sen": line.amount, "reference": line.reference,
                        "end_to_end": line.end_to_end, "text": line.text,
                    }
                    for line in one.lines
                ],
            }
            for one in told.statements
        ],
        "remarks": [{"line": remark.line, "text": remark.text} for remark in told.remarks],
    }  # fmt: skip


def _as_json(page: Page) -> dict[str, Any]:
    return {
        "name": page.name, "version": page.version, "by": page.author, "reason": page.reason, "made_at": page.made_at,
        "mapping": page.told,
    }  # fmt: skip
