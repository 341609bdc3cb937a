"""The `hebat proof` commands: make a proof that a transaction is in the books, and check one without any access to them."""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003  Typer reads it
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, JsonOption, PerhapsDataOption, place_of
from hebat.ledger_commands.telling import facts, sentences
from keys.clock import date_of, day_of
from keys.filevault import write_atomically
from keys.publickey import read_public_key
from ledger.errors import ProofInvalid, ProofUnknown

if TYPE_CHECKING:
    from keys.clock import Day
    from ledger.proofs.file import Consistency, Inclusion
    from ledger.store import Database

proof_app = typer.Typer(
    help="Prove that a transaction is in the books, and check such a proof.", no_args_is_help=True
)

FILE_BYTES_MAX = 1 << 20
OutOption = Annotated[
    Path | None, typer.Option("--out", help="The file to write; standard output without it.")
]
KeyOption = Annotated[
    str, typer.Option("--key", help="The ledger's public key: a PEM file, or 64 hexadecimal digits.")
]


@proof_app.command()
def make(
    data: PerhapsDataOption = None,
    database: DatabaseOption = None,
    card: Annotated[int | None, typer.Option(help="The card's number: 16 digits.")] = None,
    tmc: Annotated[int | None, typer.Option(min=1, help="The card's transaction counter.")] = None,
    position: Annotated[int | None, typer.Option(min=1, help="Instead: a position of the journal.")] = None,
    under: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Under the checkpoint of this business date; else the first that covers it."),
    ] = None,
    anonymous: Annotated[bool, typer.Option(help="Do not tell whose card it was.")] = False,
    out: OutOption = None,
) -> None:  # fmt: skip
    """Make the proof that a transaction is in the books, for anybody to check."""
    from ledger.proofs.proving import prove_position  # noqa: PLC0415  SQLAlchemy loads only where it is needed

    at = None if under is None else day_of(under.date())
    with place_of(data, database).database() as opened:
        opened.check()
        if position is not None and card is None and tmc is None:
            proof = prove_position(opened, position, at=at, named=not anonymous)
        elif card is not None and tmc is not None and position is None:
            proof = _prove_card(opened, card, tmc, at, named=not anonymous)
        else:
            raise InputRefused("which transaction? Give --card and --tmc, or --position")
    _put(proof, out)


def _prove_card(database: Database, number: int, tmc: int, at: Day | None, *, named: bool) -> Inclusion:
    """A number may have two cards, where a torn one was made again: whichever has the transaction."""
    from ledger.proofs.proving import prove_tap  # noqa: PLC0415  as above
    from ledger.proofs.store import cards_of  # noqa: PLC0415

    with database.transaction() as connection:
        found = cards_of(connection, number)
    if not found:
        raise InputRefused(f"no card {number} was issued here: look at the number again")
    for partition, uid in found[:-1]:
        try:
            return prove_tap(database, partition, uid, tmc, at=at, named=named)
        except ProofUnknown:
            continue
    return prove_tap(database, *found[-1], tmc, at=at, named=named)


@proof_app.command()
def consistency(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The earlier business date.")],
    second: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The later one.")],
    data: PerhapsDataOption = None,
    database: DatabaseOption = None,
    out: OutOption = None,
) -> None:  # fmt: skip
    """Make the proof that one checkpoint continues another: nothing that was in the books has been changed since."""
    from ledger.proofs.book import consistency as prove  # noqa: PLC0415  as above

    with place_of(data, database).database() as opened:
        opened.check()
        _put(prove(opened, day_of(first.date()), day_of(second.date())), out)


@proof_app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The proof.")], key: KeyOption, as_json: JsonOption = False
) -> None:
    """Check a proof, with no access to the ledger. Exit code 0: proven; 1: not proven; 2: no such file or key."""
    from ledger.proofs.file import decode  # noqa: PLC0415  what is needed here and nothing else

    public_key = read_public_key(key)
    found = decode(_read(file))
    told = found.check(public_key)
    if as_json:
        typer.echo(json.dumps({"proven": True, **facts(found, told)}, indent=1))
        return
    for line in sentences(found, told):
        typer.echo(line)


@proof_app.command("list")
def list_checkpoints(
    data: PerhapsDataOption = None, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """List the checkpoints that were signed."""
    from ledger.proofs.store import read_checkpoints  # noqa: PLC0415  as above

    with place_of(data, database).database() as opened:
        opened.check()
        with opened.transaction() as connection:
            known = read_checkpoints(connection)
    rows: list[dict[str, Any]] = [
        {"business_date": date_of(one.business_date).isoformat(), "size": one.size, "position": one.position, "checkpoint": one.signed.hex()}
        for one in known
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['business_date']}: {row['size']} leaves, up to position {row['position']}")
    if not rows:
        typer.echo("No business date was closed yet.")


def _put(proof: Inclusion | Consistency, out: Path | None) -> None:
    if out is None:
        typer.echo(proof.encode().decode(), nl=False)
        return
    write_atomically(out, proof.encode())
    typer.echo(f"The proof is in {out.name}: {len(proof.encode())} bytes.")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputRefused(f"{path.name} cannot be read: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise ProofInvalid(f"{path.name} is far too large for a proof")
    return data
