"""`hebat settlement participants`: the banks, operators, merchants, agents and the city itself, and how they change."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  Typer reads it
from typing import Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    show_table,
    tell,
)
from hebat.wording import some
from keys.clock import SystemClock

participants_app = typer.Typer(
    help="Who takes part: banks, operators, merchants, agents, the city.", no_args_is_help=True
)


@participants_app.command()
def show(
    data: DataOption,
    as_json: JsonOption = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print them as a file that `set` takes.")] = False,
) -> None:
    """List who takes part."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from hebat.settlement_commands.parties_file import entries_of, written  # noqa: PLC0415

    entries = entries_of(configuration_of(Folder(data)).participants)
    if as_toml:
        typer.echo(written(entries), nl=False)
    elif as_json:
        tell([{"kind": entry.kind, **entry.told} for entry in entries])
    else:
        rows = [
            [entry.name, str(entry.told["name"]), f"{entry.told.get('bank', entry.told.get('code')):04d}", str(entry.told["account"]),
             str(entry.told.get("class", entry.told.get("bic", "")))]
            for entry in entries
        ]  # fmt: skip
        show_table(["who", "name", "bank", "account", "class or BIC"], rows)


@participants_app.command("set")
def set_(
    file: Annotated[Path, typer.Argument(help="Who comes, or changes, as TOML; `show --toml` writes such a file.")],
    data: DataOption, author: AuthorOption, reason: ReasonOption,
    approver: Annotated[
        str, typer.Option("--approved-by", help="Who else has looked: needed where somebody would be paid elsewhere.")
    ] = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Add parties, or change what is known of them: all that the file tells, or nothing. Nobody is taken out."""
    from hebat.configurations import OWN, configured  # noqa: PLC0415  as above
    from hebat.settlement_commands.parties_file import read  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415
    from settlement.rulebook.parties import enter  # noqa: PLC0415

    if (name := configured(Folder(data))) != OWN:
        raise InputRefused(
            f"{data} was founded with the parties of the {name}, which stay: found a city with --participants"
        )
    entries = read(file)
    with city_database(data) as database:
        at = SystemClock().now()
        made = enter(Rulebook(database), entries, author=author, approver=approver, reason=reason, at=at)
    if as_json:
        tell([{"name": page.name, "version": page.version} for page in made])
        return
    typer.echo(f"{some(len(made), 'page')} kept; nights take them from now on, a server from its next start.")
    for page in made:
        typer.echo(f"  {page.name}: {'new' if page.version == 1 else f'version {page.version}'}")
