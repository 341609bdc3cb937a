"""`hebat ledger init`, `rebuild`, `snapshot` and `checkpoint`: making a ledger, and what lies beside its journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, JsonOption, PerhapsDataOption, console_of, place_of
from hebat.wording import some

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.ledger_commands.place import Place
    from ledger.proofs.store import Kept


def init(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Make an empty ledger; one that is there already is refused."""
    from hebat.schema import TABLES  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.book import Ledger  # noqa: PLC0415

    console, _ = console_of(machine=as_json)
    place = place_of(data, database)
    if place.folder is not None:
        place.folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Ledger.create(place.url, *TABLES)
    try:
        name = made.name
    finally:
        made.close()
    if as_json:
        typer.echo(json.dumps({"ledger": name}))
    else:
        console.print(f"{name} is an empty ledger.")


def rebuild(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Make balances, snapshot and accounts' pages anew from the journal, and compare.

    Ends with 3 where something that was stored beside the journal was wrong; it is right now.
    """
    from keys.clock import SystemClock  # noqa: PLC0415  as above
    from ledger.rebuilding import rebuild as anew  # noqa: PLC0415

    console, progress = console_of(machine=as_json)
    with (
        place_of(data, database).database() as opened,
        progress.step("Journal, balances, snapshot, pages", 1) as told,
    ):
        made = anew(opened, SystemClock(), lambda done, whole: told(done / max(whole, 1)))
    if as_json:
        told_ = {
            "position": made.position,
            "accounts": made.accounts,
            "right": made.right,
            "wrong": made.wrong,
        }
        typer.echo(json.dumps(told_, indent=1))
    else:
        was = "was" if made.right == 1 else "were"
        kept = (
            f"{some(made.right, 'stored snapshot')} {was} right"
            if made.right or made.wrong
            else "no snapshot was stored"
        )
        console.print(f"{some(made.accounts, 'balance')} as of position {made.position} made anew; {kept}")
        for line in made.wrong:
            console.print(f"was wrong, and is right now: {line}")
    if made.wrong:
        raise typer.Exit(3)


def snapshot(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Keep a snapshot of all balances, for the next start. A server does so by itself, and at once where this is called beside it."""
    console, progress = console_of(machine=as_json)
    with progress.step("Opening, and writing the snapshot", 1):
        position, accounts = keep_snapshot(place_of(data, database))
    if as_json:
        typer.echo(json.dumps({"position": position, "accounts": accounts}))
    else:
        console.print(f"A snapshot of {accounts} balances as of position {position} is kept.")


def keep_snapshot(place: Place) -> tuple[int, int]:
    """Have a snapshot taken, by the server that has the ledger or else here: the position as of which it is, and of how many accounts.

    Raises DatabaseBusy where another process has the ledger that does not listen in the city's folder, or no folder is named.
    """
    from hebat.night_commands.door import asked_for_snapshot  # noqa: PLC0415  as above
    from keys.clock import SystemClock  # noqa: PLC0415
    from ledger.book import Ledger  # noqa: PLC0415

    told = None if place.folder is None else asked_for_snapshot(place.folder.root)
    if told is not None:
        return told
    with Ledger.open(place.url, SystemClock()) as opened:
        return opened.snapshot(), len(opened.balances())


def checkpoint(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Sign and publish the checkpoints that closed business dates lack. A server that runs does so by itself."""
    from keys.clock import date_of  # noqa: PLC0415  as above

    console, progress = console_of(machine=as_json)
    place = place_of(data, database)
    with progress.step("Leaves, tree, signatures", 1) as told:
        made = _make_all(place, lambda done, whole: told(done / max(whole, 1)))
    rows = [{"business_date": date_of(one.business_date).isoformat(), "size": one.size} for one in made]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        console.print(f"{row['business_date']}: {row['size']} leaves, signed and published")
    if not rows:
        console.print("Every closed business date has its checkpoint.")


def _make_all(place: Place, told: Callable[[int, int], None]) -> list[Kept]:
    from hebat.vaults import city_vault  # noqa: PLC0415  as above
    from hebat.wiring import checkpoints_of  # noqa: PLC0415

    folder = place.folder
    if folder is None or not place.has_keys:
        raise InputRefused("checkpoints are signed with the city's key: name its folder with --data")
    vault = city_vault(folder)
    with place.database() as opened:
        opened.check()
        return checkpoints_of(folder, opened, vault).make_all(told)
