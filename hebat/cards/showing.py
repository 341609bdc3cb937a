"""What the card commands print: calm tables on a terminal of any width, or one JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from card.layout import AID, NEVER, JourneyState
from hebat.cards import naming
from hebat.printed import console

if TYPE_CHECKING:
    from card.layout import Journey, LogRecord
    from hebat.cards.field import Presence
    from hebat.cards.naming import Names
    from hebat.cards.reading import CityCard, Looked
    from hebat.cards.recognising import Recognised
    from keys.clock import Day

LABEL_WIDTH: Final = 12
"""So that the values of several lists stand below each other."""
OUR_NAME: Final = "Kartu Semarang Hebat"


def facts(rows: list[tuple[str, str]]) -> Table:
    """Names and values, one pair a line; pairs without a value are left out."""
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=LABEL_WIDTH)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value:
            table.add_row(name, value)
    return table


def show_looked(found: Looked, names: Names, hint: str = "") -> None:
    """Everything about a card; `hint` is what would tell more."""
    out = console()
    out.print(f"[bold]{found.sentence}[/bold]")
    out.print()
    out.print(facts(_chip_rows(found.recognised)))
    if found.city is not None:
        out.print()
        out.print(facts(_city_rows(found.city, names)))
        out.print()
        show_records(found.city.records, names)
    if hint:
        out.print(f"\n{hint}")


def _chip_rows(found: Recognised) -> list[tuple[str, str]]:
    uid = found.uid.hex(" ").upper()
    return [
        ("Chip", found.chip),
        ("UID", f"{uid} (random: another at every tap)" if found.has_random_uid and found.chip else uid),
        ("Applications", _application_names(found.applications)),
        ("Transactions", "" if found.transactions is None else str(found.transactions)),
    ]


def _application_names(found: tuple[bytes, ...] | None) -> str:
    if found is None:
        return ""
    return (
        ", ".join(f"{aid.hex().upper()}{f' ({OUR_NAME})' if aid == AID else ''}" for aid in found) or "none"
    )


def _city_rows(card: CityCard, names: Names) -> list[tuple[str, str]]:
    return [
        *identity_rows(card, names),
        ("Journey", _journey(card.journey, names)),
        ("Fares", _fares(card.journey)),
    ]


def identity_rows(card: CityCard, names: Names) -> list[tuple[str, str]]:
    """Whose card it is, and what it holds."""
    who = card.identity
    until = "[red]locked[/red]" if card.locked else naming.day(who.valid_until)
    return [
        ("Card number", naming.grouped(who.card_number)),
        ("Issuer", names.bank(who.issuer)),
        ("Rider", naming.rider(who)),
        ("Valid until", until),
        ("Balance", f"[bold]{naming.money(card.balance)}[/bold] of at most {naming.money(who.purse_limit)}"),
    ]


def _journey(journey: Journey, names: Names) -> str:
    if not journey.tap_in_at:
        return "never tapped in a bus"
    place = names.place(journey.tap_in_route, journey.tap_in_stop)
    word = "inside since" if journey.state is JourneyState.INSIDE else "last tap"
    return f"{word} {naming.moment(journey.tap_in_at)}{f', {place}' if place else ''}"


def _fares(journey: Journey) -> str:
    if not journey.service_day:
        return ""
    return f"{naming.money(journey.day_total)} paid on {naming.day(journey.service_day)}"


def show_identity(card: CityCard, names: Names) -> None:
    """Whose card it is, and its balance."""
    console().print(facts(identity_rows(card, names)))


def show_records(records: tuple[LogRecord, ...], names: Names) -> None:
    """The card's own log, newest first."""
    out = console()
    if not records:
        out.print("No transactions yet.")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("When", no_wrap=True)
    table.add_column("What", no_wrap=True)
    table.add_column("Amount", justify="right", no_wrap=True)
    table.add_column("Balance", justify="right", no_wrap=True)
    table.add_column("Where", overflow="fold")
    for one in records:
        kind, amount = naming.KINDS[one.kind], naming.signed(one) or "free"
        table.add_row(naming.moment(one.at), kind, amount, naming.money(one.balance_after), names.where(one))
    out.print(table)


def show_readers(present: list[Presence]) -> None:
    """Readers, and whether a card is there."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("Reader", overflow="fold")
    table.add_column("Card", overflow="fold")
    for one in present:
        table.add_row(one.reader, "no card" if one.atr is None else f"a card, ATR {one.atr.hex(' ').upper()}")
    console().print(table)


def looked_json(found: Looked) -> dict[str, Any]:
    """What a card is, for machines."""
    seen = found.recognised
    told: dict[str, Any] = {
        "kind": "another-city" if found.foreign else seen.kind.value,
        "sentence": found.sentence,
        "uid": seen.uid.hex(),
        "chip": seen.chip or None,
        "applications": None if seen.applications is None else [aid.hex() for aid in seen.applications],
        "transactions": seen.transactions,
    }
    return told if found.city is None else told | city_json(found.city)


def city_json(card: CityCard) -> dict[str, Any]:
    """A card of the city, for machines; money in whole rupiah."""
    who = card.identity
    return {
        "uid": card.uid.hex(),
        "card_number": who.card_number,
        "issuer": who.issuer,
        "registered": who.registered,
        "concession": who.concession.name.lower(),
        "concession_until": _date(who.concession_until),
        "valid_until": _date(who.valid_until),
        "locked": card.locked,
        "balance": card.balance,
        "transactions": card.transactions,
        "log": [record_json(one) for one in card.records],
    }


def _date(day: Day) -> str | None:
    """A day for machines; None where there is no end."""
    return None if day == NEVER else naming.day(day)


def record_json(record: LogRecord) -> dict[str, Any]:
    """A transaction, for machines."""
    return {
        "kind": record.kind.name.lower(),
        "amount": record.amount,
        "balance_after": record.balance_after,
        "at": record.at,
        "terminal": record.terminal,
        "sequence": record.sequence,
        "reference": record.reference,
    }
