"""A holder's own data as one JSON document (Law 27/2022, articles 7 and 13): everything that is kept of the card and of whom it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from card.layout import TapKind
from keys.clock import date_of, local
from keys.money import Sen, plain
from ledger.cardholder.movements import lines_of
from ledger.history.statement import state_of
from ledger.intake import store as intake
from ledger.transfer import Kind

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from ledger.cardholder.disputes import Dispute
    from ledger.cardholder.holders import Kept
    from ledger.cardholder.room import Room
    from ledger.history.statement import Line
    from ledger.intake.cards.issued import Card
    from ledger.intake.store import TapRow

TAPS_MAX: Final = 20_000
LINES_MAX: Final = 20_000
"""Movements of the wallet."""
FORMAT: Final = "ksh-cardholder-1"


def exported(room: Room, card: Card) -> dict[str, Any]:
    """The document; amounts in rupiah as decimals, moments as ISO 8601 on the city's clock."""
    shown = room.reading.shown(card)
    with room.ledger.database.transaction() as connection:
        rows = intake.taps_of(connection, card.partition, card.uid, TAPS_MAX)
    return {
        "format": FORMAT,
        "made_at": _moment(room.clock.now()),
        "card": {
            "number": str(card.card_number), "registered": card.registered, "blocked": shown.block is not None,
            "tapcash": plain(shown.purse), "wallet": plain(shown.wallet),
        },
        "holder": _holder(room.holders.kept(card)),
        "taps": [_tap(row) for row in rows],
        "wallet": [_line(one) for one in lines_of(room, card, LINES_MAX)],
        "reports": [_report(one) for one in room.disputes.of(card)],
    }  # fmt: skip


def _moment(at: UnixMs) -> str | None:
    return local(at).isoformat(timespec="seconds") if at else None


def _holder(kept: Kept | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    who = kept.person
    named = {} if who is None else {"name": who.name, "nik": who.nik, "phone": who.phone or None}
    return {
        **named, "purposes": [one.value for one in kept.purposes], "consented_at": _moment(kept.consented_at),
        "erased_at": _moment(kept.erased_at),
    }  # fmt: skip


def _tap(row: TapRow) -> dict[str, Any]:
    return {
        "counter": row.tmc, "kind": TapKind(row.kind).name.lower(), "amount": plain(Sen(row.amount)),
        "balance_after": plain(Sen(row.balance_after)), "at": _moment(row.occurred_at), "route": row.route, "stop": row.stop,
        "rules": row.rules.split(), "terminal": row.terminal, "business_date": date_of(row.business_date).isoformat(),
    }  # fmt: skip


def _line(one: Line) -> dict[str, Any]:
    """A movement; a refund names the payment that it gives back by its number."""
    return {
        "number": one.position, "kind": Kind(one.kind).name.lower(), "state": state_of(one.flags),
        "amount": plain(Sen(-one.amount if one.is_debit else one.amount)), "at": _moment(one.received_at),
        "refund_of": one.refund_of or None, "business_date": date_of(one.business_date).isoformat(),
    }  # fmt: skip


def _report(one: Dispute) -> dict[str, Any]:
    return {
        "tap": one.tmc, "reason": one.reason.value, "opened_at": _moment(one.opened_at),
        "due": date_of(one.due).isoformat(), "state": one.state, "answer": one.answer,
    }  # fmt: skip
