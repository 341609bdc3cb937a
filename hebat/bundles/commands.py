"""The `hebat bundles` commands: issue, list and show what terminals are told; block a card and put it back."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.cards.options import DataOption, JsonOption  # noqa: TC001  Typer reads them
from hebat.errors import InputRefused
from hebat.folder import Folder
from keys import cbor
from keys.bundle import AUDIENCES, EVERY, BundleKind
from keys.clock import Day, SystemClock, date_of, day_of, local

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hebat.bundles.office import Office
    from keys.clock import UnixMs
    from ledger.bundles.store import Issued
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry

bundles_app = typer.Typer(
    help="Tell terminals the tariff, the limits, the calendar, and which cards are blocked.", no_args_is_help=True
)  # fmt: skip

KindArgument = Annotated[BundleKind, typer.Argument(help="What the bundle is about.")]
NumberArgument = Annotated[int, typer.Argument(help="The card's number: 16 digits.")]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="The draft: JSON, for tariff, limits, calendar.")
]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="The first service day; now without it. A tariff names its own."),
]  # fmt: skip
AudienceOption = Annotated[
    str, typer.Option(help="A class of terminals: " + ", ".join(sorted(AUDIENCES)) + ".")
]


def _open(data: Path) -> AbstractContextManager[tuple[Office, Registry]]:
    from hebat.bundles.office import open_office  # noqa: PLC0415  SQLAlchemy loads only where it is needed

    return open_office(Folder(data), SystemClock())


def _when(at: UnixMs) -> str:
    return f"{local(at):%Y-%m-%d %H:%M}"


def _line(one: Issued) -> str:
    what = f"a delta on {one.base}" if one.base else "full"
    who = "all" if one.audience == EVERY else one.audience
    return f"{one.kind} {one.number}, {what}, for {who} terminals, from {_when(one.valid_from)}, {one.bytes} bytes"


def _as_json(one: Issued) -> dict[str, Any]:
    return {
        "kind": one.kind.value, "number": one.number, "base": one.base, "audience": one.audience,
        "valid_from": one.valid_from, "issued_at": one.issued_at, "bytes": one.bytes,
    }  # fmt: skip


@bundles_app.command()
def issue(
    kind: KindArgument, data: DataOption, file: FileOption = None, first: FromOption = None,
    audience: AudienceOption = EVERY, as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Issue a bundle: terminals fetch it at their next upload. Hotlist and keys need no draft."""
    if audience not in AUDIENCES:
        raise InputRefused(f"there is no class of terminals {audience!r}: {', '.join(sorted(AUDIENCES))}")
    with _open(data) as (office, _):
        made = _issued(office, kind, file, first, audience)
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in made], indent=1))
    for one in () if as_json else made:
        typer.echo(f"Issued {_line(one)}.")
    if not made and not as_json:
        typer.echo("Nothing has changed since the last hotlist: none was issued.")


def _issued(
    office: Office, kind: BundleKind, file: Path | None, first: datetime | None, audience: str
) -> list[Issued]:
    from hebat.bundles import drafts  # noqa: PLC0415  as above
    from hebat.bundles.office import start_of  # noqa: PLC0415

    valid_from = SystemClock().now() if first is None else start_of(day_of(first.date()))
    if kind in {BundleKind.HOTLIST, BundleKind.KEYS}:
        if file is not None or audience != EVERY:
            raise InputRefused(f"a {kind} has no draft and no class: it is made from the city's own data")
        return office.hotlist() if kind is BundleKind.HOTLIST else office.keys(valid_from)
    if file is None:
        raise InputRefused(f"a {kind} needs a draft: name it with --file")
    if kind is BundleKind.TARIFF:
        return office.tariff(drafts.read_tariff(file), audience)
    if kind is BundleKind.LIMITS:
        return office.limits(drafts.read_limits(file), valid_from, audience)
    return office.calendar(drafts.read_calendar(file), valid_from)


@bundles_app.command("list")
def list_bundles(data: DataOption, as_json: JsonOption = False) -> None:
    """List every bundle that was issued."""
    with _open(data) as (office, _):
        found = office.shelf.all()
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in found], indent=1))
        return
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("No bundle was issued yet.")


@bundles_app.command()
def show(
    kind: KindArgument,
    number: Annotated[int, typer.Argument(help="The bundle's number.")],
    data: DataOption,
) -> None:
    """Show what a bundle says, its signature checked, as JSON."""
    with _open(data) as (office, _):
        bundle = office.opened(kind, number)
        said = {
            "kind": kind.value, "number": number, "audience": bundle.audience, "valid_from": bundle.valid_from,
            "city": bundle.city.hex(), "says": _said(office, kind, number, bundle.body),
        }  # fmt: skip
    typer.echo(json.dumps(said, indent=1))


def _said(office: Office, kind: BundleKind, number: int, body: bytes) -> Any:

    if kind is BundleKind.HOTLIST:
        return {
            "cards": len(office.listed(number)),
            "uids": [f"{uid:014x}" for uid in office.listed(number).numbers()],
        }
    found = cbor.decoded(body)
    if kind is BundleKind.TARIFF:
        return found | {"valid_from": date_of(Day(found["valid_from"])).isoformat()}
    if kind is BundleKind.CALENDAR:
        return {"holidays": [date_of(Day(day)).isoformat() for day in found["holidays"]]}
    return found


def _cards(registry: Registry, number: int) -> list[Card]:
    """The cards of a number: two, where a torn card was made again (docs/decisions/0009-tearing.md)."""
    found = [card for card in registry.cards() if card.card_number == number]
    if not found:
        raise InputRefused(f"no card {number} was issued here: look at the number again")
    return found


@bundles_app.command()
def block(
    number: NumberArgument, data: DataOption,
    reason: Annotated[str, typer.Option(help="Why, for those who will ask.")],
) -> None:  # fmt: skip
    """Block a card: lost, stolen, cloned. The next hotlist names it; no load is authorised from now on."""
    with _open(data) as (office, registry):
        for card in _cards(registry, number):
            office.blocks.block(card, reason, SystemClock().now())
    typer.echo(
        f"Card {number} is blocked. Terminals refuse it from the next hotlist on: hebat bundles issue hotlist"
    )


@bundles_app.command()
def unblock(number: NumberArgument, data: DataOption) -> None:
    """Put a blocked card back into use, from the next hotlist on."""
    with _open(data) as (office, registry):
        for card in _cards(registry, number):
            office.blocks.unblock(card, SystemClock().now())
    typer.echo(f"Card {number} is in use again from the next hotlist on: hebat bundles issue hotlist")


@bundles_app.command()
def blocked(data: DataOption, as_json: JsonOption = False) -> None:
    """List the cards that are blocked, and why."""
    with _open(data) as (office, registry):
        found = [(registry.card(one.uid), one) for one in office.blocks.now()]
    rows = [
        {"card": card.card_number, "reason": one.reason, "blocked_at": one.blocked_at} for card, one in found if card
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for card, one in found:
        typer.echo(
            f"{card.card_number if card else f'{one.uid:014x}'}: {one.reason}, since {_when(one.blocked_at)}"
        )
    if not found:
        typer.echo("No card is blocked.")
