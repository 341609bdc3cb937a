"""The `hebat card` commands that look; those that change a card are in `hebat.cards.changing` and `loading`."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import typer

from hebat.cards import changing, field, loading, lost, reports
from hebat.cards.field import in_field
from hebat.cards.naming import Names
from hebat.cards.options import (
    TIMEOUT,
    DataOption,
    JsonOption,
    PerhapsDataOption,
    ReaderOption,
    SecretsOption,
    TimeoutOption,
    TraceOption,
    hand,
)
from hebat.cards.printing import commands as printing
from hebat.errors import InputRefused
from hebat.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.cards.field import Hand, Presence, Readers
    from hebat.cards.reading import CityCard

SNAPSHOT_SECONDS = 2.0
"""How long readers may take to say whether a card is there."""

card_app = typer.Typer(help="Look at a card, make one, load it, lock it.", no_args_is_help=True)


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=1))


@card_app.command("readers")
def list_readers(as_json: JsonOption = False) -> None:
    """List the readers, and whether a card is there."""
    from hebat.cards import showing  # noqa: PLC0415  nothing loads before it is needed

    found = present(field.readers())
    if as_json:
        _print_json([{"reader": one.reader, "atr": one.atr.hex() if one.atr else None} for one in found])
    elif found:
        showing.show_readers(found)
    else:
        typer.echo("No reader is connected.")


def present(source: Readers) -> list[Presence]:
    """Each reader as it is now."""
    wanted = source.reader_names()
    seen: dict[str, Presence] = {}
    stop = threading.Event()
    if not wanted:
        return []
    late = threading.Timer(SNAPSHOT_SECONDS, stop.set)
    late.start()
    try:
        for one in source.watch(stop):
            seen[one.reader] = one
            if seen.keys() >= set(wanted):
                break
    finally:
        late.cancel()
        stop.set()
    return [seen[name] for name in wanted if name in seen]


@card_app.command()
def watch() -> None:
    """Say which cards come and go, until Ctrl-C."""
    from hebat.cards.simulating import until_stopped  # noqa: PLC0415  as above
    from keys.clock import SystemClock, local  # noqa: PLC0415

    source = field.readers()
    if not source.reader_names():
        typer.echo("No reader is connected yet.")
    with until_stopped() as stop:
        for one in source.watch(stop):
            what = "no card" if one.atr is None else f"card, ATR {one.atr.hex(' ').upper()}"
            told = what if one.there else "reader gone"
            typer.echo(f"{local(SystemClock().now()):%H:%M:%S}  {one.reader}  {told}")


@card_app.command()
def info(
    data: PerhapsDataOption = None,
    reader: ReaderOption = None,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
    trace: TraceOption = False,
    show_secrets: SecretsOption = False,
) -> None:
    """Say what this card is, and everything that is on it; nothing is ever written."""
    from hebat.cards import reading, showing  # noqa: PLC0415  as above
    from hebat.cards.recognising import Kind  # noqa: PLC0415

    folder = None if data is None else Folder(data)
    vault = None if folder is None else reading.vault_of(folder)
    names = Names() if folder is None else Names.of(folder)
    with in_field(hand(reader, timeout, trace, show_secrets)) as held:
        found = reading.look(held.transport, vault)
    if as_json:
        _print_json(showing.looked_json(found))
        return
    unread = found.recognised.kind is Kind.CITY and vault is None
    showing.show_looked(
        found, names, "To read what is on it, name its city's folder: --data DIR" if unread else ""
    )


def _city_card(data: Path, how: Hand) -> tuple[CityCard, Names]:
    """The card of this city that is held to the reader, and what its issuer and stops are called."""
    from hebat.cards import reading  # noqa: PLC0415  as above

    folder = Folder(data)
    vault, names = reading.vault_of(folder), Names.of(folder)
    with in_field(how) as held:
        return reading.require_city_card(held.transport, vault), names


@card_app.command()
def read(
    data: DataOption,
    reader: ReaderOption = None,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
    trace: TraceOption = False,
    show_secrets: SecretsOption = False,
) -> None:
    """Show whose card this is, and its balance."""
    from hebat.cards import showing  # noqa: PLC0415  as above

    found, names = _city_card(data, hand(reader, timeout, trace, show_secrets))
    if as_json:
        document = showing.city_json(found)
        del document["log"]
        _print_json(document)
    else:
        showing.show_identity(found, names)


@card_app.command()
def log(
    data: DataOption,
    reader: ReaderOption = None,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
    trace: TraceOption = False,
    show_secrets: SecretsOption = False,
) -> None:
    """Show the card's last ten transactions, newest first."""
    from hebat.cards import showing  # noqa: PLC0415  as above

    found, names = _city_card(data, hand(reader, timeout, trace, show_secrets))
    if as_json:
        _print_json(showing.city_json(found)["log"])
    else:
        showing.show_records(found.records, names)


card_app.command("personalise")(changing.personalise)
card_app.command("load")(loading.load)
card_app.command("lock")(changing.lock)
card_app.command("simulate")(changing.simulate)
card_app.command("block")(lost.block)
card_app.command("print-sheet")(printing.print_sheet)
card_app.command("replace")(lost.replace)
card_app.command("reports")(reports.reports)
card_app.command("answer")(reports.answer)


@card_app.command()
def profile(as_json: JsonOption = False) -> None:
    """Show where a tap's time goes: each flow on a virtual card, and what a real card would take."""
    from hebat.cards.profile import show  # noqa: PLC0415  as above

    show(as_json)


@card_app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def trace(context: typer.Context) -> None:
    """Run another card command, such as `trace info`, and show every exchange with the card by name.

    Secrets are hidden: `--show-secrets` shows them too, for a test card, never for a real one.
    """
    if not context.args:
        raise InputRefused("say which command to trace, such as: hebat card trace info")
    card_app([*context.args, "--trace"], prog_name="hebat card", standalone_mode=False)
