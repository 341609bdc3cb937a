"""The `hebat fares` commands."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hebat.cards.options import JsonOption  # noqa: TC001  Typer reads it
from hebat.errors import InputRefused
from hebat.fares.differences import changed, differences
from hebat.fares.semarang import feed_of, read_facts
from hebat.fares.taps import answered, read_taps
from hebat.fares.tariffs import SUFFIX, read_tariff, write_tariff
from hebat.printed import console
from hebat.wording import some
from keys.clock import SystemClock, date_of, day_of, local
from terminals.errors import FeedWrong
from terminals.fares.words import LANGUAGES, words
from terminals.gtfs.exporting import export as export_feed
from terminals.gtfs.importing import Naming
from terminals.gtfs.validity import check_feed

if TYPE_CHECKING:
    from hebat.fares.taps import Answered
    from terminals.fares import Tariff

fares_app = typer.Typer(help="Tariffs: from GTFS and to it, explained and compared.", no_args_is_help=True)

TariffArgument = Annotated[Path, typer.Argument(help="A tariff file, or a GTFS feed (folder or zip).")]
TapsOption = Annotated[
    Path, typer.Option("--taps", help="CSV: card, time, kind, route, stop (class, vehicle); or trips as for `hebat day`.")
]  # fmt: skip
OptionalTapsOption = Annotated[
    Path | None,
    typer.Option("--taps", help="CSV of a recorded day: what the second tariff would change over it."),
]
AsOption = Annotated[str | None, typer.Option("--as", help="The version's name; feed_version without it.")]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="The first service day; feed_start_date without it."),
]
LanguageOption = Annotated[str, typer.Option("--language", help=f"Of the words: {', '.join(LANGUAGES)}.")]


@fares_app.command("import")
def import_(
    feed: Annotated[Path, typer.Argument(help="A GTFS feed: folder or zip.")],
    version: AsOption = None, first: FromOption = None,
    to: Annotated[Path | None, typer.Option("--to", help="The tariff file to write; VERSION.tariff here without it.")] = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Make a tariff of a feed's fares (Fares v2, else v1). Issue it then: hebat bundles issue tariff --file FILE."""
    tariff = read_tariff(feed, Naming(version, None if first is None else day_of(first.date())))
    path = to or Path(f"{tariff.version}{SUFFIX}")
    write_tariff(tariff, path)
    told = _summary(tariff) | {"file": str(path), "bytes": path.stat().st_size}
    if as_json:
        typer.echo(json.dumps(told, indent=1))
    else:
        typer.echo(
            f"{path}: tariff {told['version']} from {told['valid_from']}, {told['products']} prices, {told['legs']} leg rules, "
            f"{told['transfers']} transfer rules, {told['routes']} routes, {told['stops']} stops, {told['bytes']} bytes"
        )


def _summary(tariff: Tariff) -> dict[str, str | int]:
    return {
        "version": tariff.version, "valid_from": date_of(tariff.valid_from).isoformat(),
        "products": len(tariff.products), "legs": len(tariff.legs), "transfers": len(tariff.transfers),
        "routes": len(tariff.networks), "stops": len(tariff.areas),
    }  # fmt: skip


@fares_app.command()
def check(
    feed: Annotated[Path, typer.Argument(help="A GTFS feed: folder or zip.")], as_json: JsonOption = False
) -> None:
    """Look a feed through: required files and fields, every reference, and its fares."""
    try:
        found = check_feed(feed)
    except FeedWrong as error:
        raise InputRefused(f"{feed}: {error}") from None
    tariff = read_tariff(feed, Naming("check", day_of(local(SystemClock().now()).date())))
    if as_json:
        typer.echo(
            json.dumps(
                asdict(found) | {"leg_rules": len(tariff.legs), "prices": len(tariff.products)}, indent=1
            )
        )
    else:
        typer.echo(
            f"{feed} is whole: {found.agencies} agencies, {found.stops} stops, {found.routes} routes, {found.trips} trips, "
            f"{found.stop_times} stop times, {len(tariff.products)} prices, {len(tariff.legs)} leg rules"
        )


@fares_app.command("make-semarang")
def make_semarang(
    facts: Annotated[Path, typer.Argument(help="koridor.json: the public list of corridors and stops.")],
    to: Annotated[Path, typer.Option("--to", help="The folder of the feed; files there are replaced.")],
) -> None:
    """Make the GTFS feed of Trans Semarang that is shipped, from the list of its corridors and stops."""
    made = feed_of(read_facts(facts))
    to.mkdir(parents=True, exist_ok=True)
    for name, data in made.items():
        (to / name).write_bytes(data)
    typer.echo(f"{to}: {', '.join(sorted(made))}")


@fares_app.command()
def export(
    tariff: TariffArgument,
    to: Annotated[Path, typer.Option("--to", help="The folder; none of the files may be there yet.")],
) -> None:
    """Write a tariff as the fare files of a GTFS feed (Fares v2), with ksh_fare_policy.txt for what GTFS cannot say."""
    try:
        written = export_feed(read_tariff(tariff), to)
    except OSError as error:
        raise InputRefused(f"{error.filename or to}: {error.strerror}; choose an empty folder") from None
    typer.echo(f"{to}: {', '.join(path.name for path in written)}")


@fares_app.command()
def explain(
    tariff: TariffArgument, taps: TapsOption, language: LanguageOption = "id", as_json: JsonOption = False
) -> None:
    """Say for each tap of a file what it costs, and which rules made it so."""
    if language not in LANGUAGES:
        raise InputRefused(f"there are no words in {language!r}: {' or '.join(LANGUAGES)}")
    found = list(answered(read_taps(taps), read_tariff(tariff)))
    if as_json:
        typer.echo(json.dumps([_told(one, language) for one in found], indent=1, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("line", "card", "when", "tap", "rupiah", "why"):
        table.add_column(
            name, overflow="fold", no_wrap=name == "when", justify="right" if name == "rupiah" else "left"
        )
    for one in found:
        why = "\n".join(
            [one.refused] if one.refused else [words(step, language) for step in one.decision.steps]
        )
        where = " ".join(filter(None, (one.tap.kind, one.tap.route, one.tap.stop)))
        table.add_row(
            str(one.tap.line),
            one.tap.card,
            f"{local(one.tap.at):%Y-%m-%d %H:%M:%S}",
            where,
            str(one.decision.amount),
            why,
        )
    console().print(table)


def _told(one: Answered, language: str) -> dict[str, object]:
    return {
        "line": one.tap.line, "card": one.tap.card, "at": one.tap.at, "kind": one.tap.kind,
        "amount": one.decision.amount, "refused": one.refused,
        "steps": [
            {"code": step.code, "amount": step.amount, "words": words(step, language)} for step in one.decision.steps
        ],
    }  # fmt: skip


@fares_app.command()
def diff(
    old: TariffArgument, new: TariffArgument, taps: OptionalTapsOption = None, as_json: JsonOption = False
) -> None:
    """Say what two tariffs say differently, and with --taps what that changes over a recorded day."""
    before, after = read_tariff(old), read_tariff(new)
    said = differences(before, after)
    over = changed(read_taps(taps), before, after) if taps is not None else None
    if as_json:
        told = {
            "old": before.version,
            "new": after.version,
            "differences": said,
            "over_taps": asdict(over) if over else None,
        }
        typer.echo(json.dumps(told, indent=1))
        return
    typer.echo(f"{before.version} > {after.version}")
    for line in said or ["the same prices and rules"]:
        typer.echo(f"  {line}")
    if over is not None:
        typer.echo(
            f"Over {some(over.taps, 'tap')} of {some(over.cards, 'card')}: {over.before} > {over.after} rupiah ({over.after - over.before:+d}); "
            f"{some(over.dearer_taps, 'tap')} dearer, {over.cheaper_taps} cheaper; {over.dearer_cards} cards pay more, "
            f"{over.cheaper_cards} less; refused {over.refused_before} > {over.refused_after}"
        )
        for code, was, now in over.by_reason:
            typer.echo(f"  {code}: {was} > {now}")
