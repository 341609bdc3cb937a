"""`hebat ledger archive`: old business dates out of the database into files, that stay part of the books."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime  # noqa: TC003  Typer reads it
from pathlib import Path  # noqa: TC003  as above
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, JsonOption, PerhapsDataOption, console_of, place_of
from hebat.wording import some
from keys.clock import Day, date_of, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hebat.ledger_commands.place import Place
    from ledger.archive.store import Archived


def archive(
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Move this business date, and all before it.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="The folder that gets a folder a date; without it, archive in the city's.")
    ] = None,
    moved_to: Annotated[
        Path | None, typer.Option("--moved-to", help="Say where the archive lies now.")
    ] = None,
    data: PerhapsDataOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Move settled business dates into files, or say which are there. A server may run meanwhile; what is archived is read as before."""
    console, progress = console_of(machine=as_json)
    place = place_of(data, database)
    if until is not None:
        with progress.step("Snapshot, files, chain", 1) as told:
            _move(place, day_of(until.date()), _target(place, to), lambda done, whole: told(done / whole))
    if moved_to is not None:
        _relocate(place, moved_to)
    found, left = _archived(place)
    if as_json:
        typer.echo(json.dumps([_told(one, stored=one in left) for one in found], indent=1))
        return
    for one in found:
        span = one.span
        console.print(
            f"{date_of(span.business_date)}: {span.rows} transfers, {one.documents} documents, in {one.place}/{one.name}"
        )
    if left:
        console.print(
            f"{some(len(left), 'date')} could not leave the database yet, for somebody reads or writes there as it was before: run this again"
        )
    if not found:
        console.print("Nothing is in the archive: the whole journal is in the database.")


def _target(place: Place, to: Path | None) -> Path:
    if to is not None:
        return to
    if place.folder is None:
        raise InputRefused("where to? Name a folder with --to")
    return place.folder.root / "archive"


def _move(place: Place, until: Day, to: Path, told: Callable[[int, int], None]) -> None:
    from hebat.ledger_commands.keeping import keep_snapshot  # noqa: PLC0415
    from keys.clock import SystemClock  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.archive.taking import archive as move  # noqa: PLC0415
    from ledger.errors import DatabaseBusy  # noqa: PLC0415
    from settlement.store import unsettled_before  # noqa: PLC0415

    clock = SystemClock()
    with place.database() as opened:
        opened.check()
        with opened.transaction() as connection:
            open_ = unsettled_before(connection, Day(until + 1))
        if open_ is not None:
            raise InputRefused(f"business date {date_of(open_)} is not settled: run its night first")
        with suppress(
            DatabaseBusy
        ):  # a server that is not asked has snapshots of its own: what they do not reach is refused
            keep_snapshot(place)
        move(opened, until, to, clock, told)


def _relocate(place: Place, to: Path) -> None:
    from ledger.archive import store  # noqa: PLC0415  as above
    from ledger.history.turns import write_in_turn  # noqa: PLC0415

    if not to.is_dir():
        raise InputRefused(f"{to} is no folder")
    with place.database() as opened:
        opened.check()
        write_in_turn(opened, lambda connection: store.relocate(connection, str(to.resolve())))


def _archived(place: Place) -> tuple[Sequence[Archived], Sequence[Archived]]:
    """What is in the archive, and what of that the database holds still."""
    from ledger.archive import store  # noqa: PLC0415  as above
    from ledger.archive.stored.store import left  # noqa: PLC0415

    with place.database() as opened:
        opened.check()
        with opened.transaction() as connection:
            return store.read(connection), left(connection)


def _told(one: Archived, *, stored: bool) -> dict[str, Any]:
    return {
        "business_date": date_of(one.span.business_date).isoformat(), "transfers": one.span.rows, "documents": one.documents,
        "first_position": one.span.first_position, "last_position": one.span.last_position, "folder": f"{one.place}/{one.name}",
        "manifest_sha256": one.manifest.hex(), "in_database": stored,
    }  # fmt: skip
