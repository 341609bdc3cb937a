"""`hebat ledger export` and `import`: a ledger as files, and a whole one taken in again."""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003  Typer reads it
from enum import StrEnum
from pathlib import Path  # noqa: TC003  as above
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.ledger_commands.place import (
    DatabaseOption,
    JsonOption,
    PerhapsDataOption,
    Place,
    console_of,
    place_of,
)
from hebat.wording import some
from keys.clock import day_of
from keys.publickey import read_public_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.store import Database


class Kind(StrEnum):
    """The files' format."""

    PARQUET = "parquet"
    CSV = "csv"


def export(
    to: Annotated[Path, typer.Option("--to", help="The new folder to write.")],
    data: PerhapsDataOption = None,
    database: DatabaseOption = None,
    kind: Annotated[Kind, typer.Option("--format", help="Only a Parquet export can be taken in again.")] = Kind.PARQUET,
    dates: Annotated[
        list[datetime] | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The journal of this business date only; may be given again."),
    ] = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Export the ledger as of one commit, with a manifest of digests; a server may go on running."""
    from hebat.schema import TABLES  # noqa: PLC0415  polars and SQLAlchemy load only where they are needed
    from ledger.exports.sending import Wanted  # noqa: PLC0415
    from ledger.exports.sending import export as send  # noqa: PLC0415

    console, progress = console_of(machine=as_json)
    wanted = Wanted(kind.value, tuple(day_of(one.date()) for one in dates or ()))
    with place_of(data, database).database() as opened, progress.step("Journal, tables", 1) as told:
        opened.check()
        made = send(opened, TABLES, to, wanted, lambda done, whole: told(done / max(whole, 1)))
    rows, size = sum(part.rows for part in made.parts), sum(part.bytes for part in made.parts)
    if as_json:
        told_ = {
            "files": len(made.parts),
            "rows": rows,
            "bytes": size,
            "position": made.position,
            "head": made.head,
        }
        typer.echo(json.dumps(told_, indent=1))
    else:
        console.print(
            f"{some(len(made.parts), 'file')} with {some(rows, 'row')}, {size} bytes, as of position {made.position}, chained to {made.head}",
            soft_wrap=True,
        )


def take(
    folder: Annotated[Path, typer.Argument(help="The folder that `hebat ledger export` wrote.")],
    data: PerhapsDataOption = None,
    database: DatabaseOption = None,
    key: Annotated[
        str, typer.Option("--key", help="The ledger's public key, for its checkpoints, where the city's vault is not at hand.")
    ] = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Take a whole export into an empty ledger: all of it, checked and replayed, or nothing."""
    from hebat.schema import TABLES  # noqa: PLC0415  as above
    from ledger.exports.taking import take as receive  # noqa: PLC0415

    console, progress = console_of(machine=as_json)
    place = place_of(data, database)
    public_key, also = _evidence(place, key)
    with place.database() as opened, progress.step("Files, chain, replay, checkpoints", 1) as told:
        opened.check()
        whole, proven = receive(
            opened, TABLES, folder, public_key=public_key, also=also,
            progress=lambda done, all_: told(done / max(all_, 1)),
        )  # fmt: skip
    if as_json:
        told_ = {
            "transfers": whole.transfers, "blocks": whole.blocks, "head": whole.head.hex(), "checkpoints": proven.checkpoints,
            "checkpoint_signatures": proven.signatures, "batches_verified": also is not None,
        }  # fmt: skip
        typer.echo(json.dumps(told_, indent=1))
        return
    console.print(
        f"{some(whole.transfers, 'transfer')} in {some(whole.blocks, 'block')} taken in, chained to {whole.head.hex()}",
        soft_wrap=True,
    )
    signed = "signatures verified" if proven.signatures else "signatures not checked"
    console.print(f"{some(proven.checkpoints, 'checkpoint')} computed again, {signed}")
    if also is None:
        console.print(f"signatures of batches and Transaction MACs not checked: {_how_to(place)}")


def _how_to(place: Place) -> str:
    """What brings the city's keys to hand."""
    if place.folder is None:
        return "name the city's folder with --data"
    return f"{place.folder.root} has no keys; bring the city's own there, then `hebat ledger verify`"


def _evidence(place: Place, key: str) -> tuple[bytes | None, Callable[[Database], None] | None]:
    """The key of the checkpoints, and what checks the signed batches: from the city's vault where it is at hand."""
    folder = place.folder
    if folder is None or not place.has_keys:
        return (read_public_key(key) if key else None), None
    from hebat.vaults import passphrase  # noqa: PLC0415  as above
    from keys.filevault import FileVault  # noqa: PLC0415
    from ledger.intake.assess import Assessor  # noqa: PLC0415
    from ledger.intake.audit import audit  # noqa: PLC0415
    from ledger.intake.receipt import LABEL  # noqa: PLC0415
    from ledger.intake.registry import Registry  # noqa: PLC0415

    # What the ledger remembers of the vault is in the export: it is compared when the city is opened.
    vault = FileVault.open(folder.vault, passphrase(folder), folder.vault.name)
    root = folder.root_certificate.read_bytes()

    def check(database: Database) -> None:
        registry = Registry(database, root)
        audit(database, registry, Assessor(registry, vault))

    return (read_public_key(key) if key else vault.public_key(LABEL)), check
