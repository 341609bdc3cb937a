"""`hebat ledger grant`: on PostgreSQL, let a role serve a ledger that it does not own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.ledger_commands.place import DatabaseOption, JsonOption, PerhapsDataOption, console_of, place_of

if TYPE_CHECKING:
    from ledger.store import Database


def grant(
    role: Annotated[str, typer.Argument(help="The role of the database that a server comes as.")],
    data: PerhapsDataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a role of PostgreSQL serve: it adds and reads, and can neither change nor take out what is in the journal.

    Come as the owner, with the owner's HEBAT_DATABASE_URL; the server comes with its own. `upgrade` lets the same roles again.
    """
    from hebat.schema import CHANGED, KEPT  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.granting import store  # noqa: PLC0415  as above

    console, _ = console_of(machine=as_json)
    with place_of(data, database).database() as opened:
        opened.check()
        with opened.transaction() as connection:
            changed = store.grant(connection, role, CHANGED, KEPT)
    if as_json:
        typer.echo(json.dumps({"role": role, "changes": changed}))
    else:
        console.print(
            f"{role} may serve: it adds and reads rows, changes them in {len(changed)} tables, and none of the journal's."
        )


def grant_again(opened: Database) -> None:
    """What the roles of servers are let do, with tables that an upgrade has brought."""
    from hebat.schema import CHANGED, KEPT  # noqa: PLC0415  as above
    from ledger.granting import store  # noqa: PLC0415  as above

    with opened.transaction() as connection:
        for role in store.serving(connection):
            store.grant(connection, role, CHANGED, KEPT)
