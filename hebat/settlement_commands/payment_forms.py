"""Payment files, releases, reports and rejected payments as commands write them for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keys.clock import date_of, local

if TYPE_CHECKING:
    from keys.clock import Day
    from ledger.store import Connection, Database
    from settlement.payments.model import Release


def file_json(connection: Connection, one: Any) -> dict[str, Any]:
    """A payment file with its release, and how many of its payments ended how; amounts in sen."""
    from keys.money import Sen, display  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from settlement.payments import store  # noqa: PLC0415
    from settlement.store import items_of  # noqa: PLC0415

    found = store.release_of(connection, one.business_date, one.bank)
    payments = [
        item.reference
        for item in items_of(connection, one.business_date)
        if item.bank == one.bank and item.rail
    ]
    said = [outcome.status.value for outcome in store.outcomes(connection, payments).values()]
    counts = {name: said.count(name) for name in dict.fromkeys(said)}
    return {
        "window": date_of(one.business_date).isoformat(), "bank": one.bank, "file": one.name, "sha256": one.sha256,
        "payments": one.payments, "total_sen": one.total, "shown": display(Sen(one.total)),
        "state": _state(found), "release": None if found is None else release_json(found),
        "outcomes": ", ".join(f"{count} {name}" for name, count in counts.items()),
    }  # fmt: skip


def payments_json(database: Database, day: Day, bank: int) -> list[dict[str, Any]]:
    """The payments of a window's file for a bank, by reference: amounts and fees in sen, and what the bank says of each."""
    from settlement.payments import store  # noqa: PLC0415  as above
    from settlement.payments.city import city_rails  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415
    from settlement.store import items_of  # noqa: PLC0415

    rules = city_rails(Rulebook(database))
    with database.transaction() as connection:
        found = [item for item in items_of(connection, day) if item.bank == bank and item.rail is not None]
        outcomes = store.outcomes(connection, [item.reference for item in found])
    return [
        {
            "reference": item.reference, "name": item.name, "amount_sen": -item.amount, "rail": item.rail.name,
            "due": date_of(item.due).isoformat(), "fee_sen": rules.fee(item.rail, day),
            "status": outcomes[item.reference].status.value if item.reference in outcomes else "",
            "reason": outcomes[item.reference].reason if item.reference in outcomes else "",
        }
        for item in found if item.rail is not None
    ]  # fmt: skip


def _state(found: Release | None) -> str:
    if found is None:
        return "waits for one who makes it"
    if not found.is_released:
        return f"made by {found.made_by}"
    return f"released by {found.released_by}"


def rejected_json(connection: Connection) -> list[dict[str, Any]]:
    """The payments that banks rejected, each with the reason; amounts in sen."""
    from keys.money import Sen, display  # noqa: PLC0415  as above
    from settlement.payments import store  # noqa: PLC0415

    return [
        {
            "reference": item.reference, "bank": item.bank, "name": item.name, "amount_sen": -item.amount,
            "shown": display(Sen(-item.amount)), "reason": outcome.reason, "report": outcome.sha256,
        }
        for item, outcome in store.rejected(connection)
    ]  # fmt: skip


def release_json(found: Release) -> dict[str, Any]:
    """Who made and who released a file, and when."""
    return {
        "window": date_of(found.business_date).isoformat(), "bank": found.bank, "sha256": found.sha256,
        "made_by": found.made_by, "made_at": local(found.made_at).isoformat(), "released_by": found.released_by,
        "released_at": None if found.released_at is None else local(found.released_at).isoformat(),
    }  # fmt: skip


def report_json(report: Any, outcomes: Any) -> dict[str, Any]:
    """A status report: refused with its reason, or what it says of each payment."""
    return {
        "name": report.name, "sha256": report.sha256, "refused": report.reason, "line": report.line,
        "payments": [
            {"reference": one.reference, "status": one.status.value, "reason": one.reason} for one in outcomes
        ],
    }  # fmt: skip
