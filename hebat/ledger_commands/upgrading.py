"""`hebat ledger upgrade`: a ledger of an older release gets the schema of this one."""

from __future__ import annotations

import json

import typer

from hebat.ledger_commands.place import DatabaseOption, JsonOption, PerhapsDataOption, console_of, place_of


def upgrade(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Bring a ledger's database to the newest schema, data and all; stop its server first, and make a backup.

    All of it happens or none of it. A ledger that is up to date stays as it is.
    """
    from hebat.ledger_commands.granting import grant_again  # noqa: PLC0415  alembic and SQLAlchemy load only where they are needed
    from hebat.migrations.upgrade import migrate  # noqa: PLC0415  as above
    from ledger.lease import take  # noqa: PLC0415

    console, progress = console_of(machine=as_json)
    place = place_of(data, database)
    with place.database() as opened:
        lease = take(opened)  # no server may write meanwhile
        try:
            with progress.step("Upgrading", 1) as told:
                before, after = migrate(place.url)
                grant_again(opened)
                told(1)
        finally:
            lease.release()
    if as_json:
        typer.echo(json.dumps({"before": before, "after": after}))
    elif before == after:
        console.print(f"up to date: schema {after}")
    else:
        console.print(f"upgraded from schema {before} to {after}: verify it with `hebat ledger verify`")
