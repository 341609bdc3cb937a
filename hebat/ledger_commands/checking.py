"""`hebat ledger verify`: the chain below, what cards and terminals signed above, and what was published of both."""

from __future__ import annotations

import json

import typer

from hebat.ledger_commands.place import DatabaseOption, JsonOption, PerhapsDataOption, console_of, place_of


def verify(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Replay the journal: every hash, every Transaction MAC, every balance, every checkpoint.

    Without --data the city's keys are not at hand, and what they signed is not checked.
    """
    from hebat.verifying import verify_place  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed

    console, progress = console_of(machine=as_json)
    found = verify_place(place_of(data, database), progress)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=1))
    else:
        console.print(found.sentence())
