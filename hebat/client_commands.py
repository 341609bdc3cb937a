"""The `hebat clients` commands: who may call the API, and for what. They work while a server runs; it knows within a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder, no_city
from hebat.logs import configure
from hebat.settings import LogLevel
from keys.clock import SystemClock, UnixMs, local

if TYPE_CHECKING:
    from ledger.clients.scopes import Scope
    from ledger.store import Database

clients_app = typer.Typer(help="Make, list and revoke clients of the API.", no_args_is_help=True)


@clients_app.callback()
def _quiet() -> None:
    """Make, list and revoke clients of the API."""
    configure(LogLevel.ERROR)


DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
NameArgument = Annotated[str, typer.Argument(help="The client's name: a-z, 0-9 and -.")]


@clients_app.command()
def add(
    name: NameArgument,
    data: DataOption,
    may: Annotated[str, typer.Option(help="Scopes, such as accounts,debits,holds.")],
    for_: Annotated[
        str | None, typer.Option("--for", help="The one party that it speaks for, such as merchant:502.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a token for a new client. It is shown here only: what is kept of it opens nothing."""
    from ledger.clients.register import add_client  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.clients.scopes import Party  # noqa: PLC0415

    scopes = _scopes(may)
    party = None if for_ is None else Party.read(for_)
    token = add_client(_database(data), name, scopes, SystemClock().now(), party)
    if as_json:
        typer.echo(json.dumps({"name": name, "scopes": scopes, "party": for_, "token": token}))
    else:
        whose = f" for {party}" if party else ""
        typer.echo(f"{token}\nLets {name} use {', '.join(scopes)}{whose}. Keep it: it is not shown again.")


@clients_app.command("list")
def list_(data: DataOption, as_json: JsonOption = False) -> None:
    """List clients; never a token."""
    from ledger.clients.register import list_clients  # noqa: PLC0415  as above

    rows = list_clients(_database(data))
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {
                        "name": row.name, "scopes": row.scopes.split(","), "party": row.party or None,
                        "created_at": row.created_at, "revoked_at": row.revoked_at or None,
                    }
                    for row in rows
                ]
            )
        )  # fmt: skip
        return
    for row in rows:
        state = f"revoked {_when(row.revoked_at)}" if row.revoked_at else f"since {_when(row.created_at)}"
        typer.echo(f"{row.name:<24} {row.party or 'anybody':<16} {row.scopes:<40} {state}")


@clients_app.command()
def revoke(name: NameArgument, data: DataOption) -> None:
    """Take a client's token out of use."""
    from ledger.clients.register import revoke_client  # noqa: PLC0415  as above

    revoke_client(_database(data), name, SystemClock().now())
    typer.echo(f"{name} is revoked: a server that runs lets it in for one more second at most.")


def _scopes(text: str) -> list[Scope]:
    """The scopes of a list with commas; raises InputRefused."""
    from ledger.clients.scopes import Scope  # noqa: PLC0415  as above

    known = {scope.value: scope for scope in Scope}
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputRefused(f"--may takes some of {', '.join(known)}, not {', '.join(unknown) or 'nothing'}")
    return [known[name] for name in dict.fromkeys(names)]


def _database(data: Path) -> Database:
    from ledger.store import Database  # noqa: PLC0415  as above

    folder = Folder(data)
    if not folder.root_certificate.exists():
        raise no_city(data)
    return Database(folder.database_url)


def _when(at: UnixMs) -> str:
    return local(at).strftime("%Y-%m-%d %H:%M")
