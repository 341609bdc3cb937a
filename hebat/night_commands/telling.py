"""A night as one JSON document: for machines, and what the screen shows. Money in sen."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from keys.clock import date_of, local
from settlement.view import report, view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hebat.wiring import City
    from keys.clock import Day
    from settlement.view import NightView


def kept_file(city: City, told: dict[str, Any]) -> None:
    """Put a night's document where people find all of it: whole or not at all, the same bytes whenever it is run again."""
    place = city.folder.night(told["business_date"])
    place.parent.mkdir(mode=0o700, exist_ok=True)
    beside = place.with_name(f".{place.name}")
    beside.write_text(json.dumps(told, indent=1), encoding="utf-8")
    beside.replace(place)


def as_told(city: City, business_date: Day) -> dict[str, Any]:
    """Everything of a settled night."""
    night = view(city.ledger.database, business_date)
    assert night is not None  # noqa: S101  it was settled just now
    participants = city.configuration.participants
    names = {code: bank.name for code, bank in participants.banks.items()}
    return {
        "business_date": date_of(business_date).isoformat(),
        "closed_at": local(night.settlement.closed_at).isoformat(timespec="seconds"),
        "head": night.settlement.head.hex(),
        "figures": {**asdict(report(night)), "business_date": date_of(business_date).isoformat()},
        "positions": _positions(night, names),
        "nets": [
            {"bank": names[one.bank], "owed": one.owed, "owes": one.owes, "net": one.net} for one in night.nets
        ],
        "service_days": _service_days(night),
        "payment_files": [
            {"name": one.name, "payments": one.payments, "total": one.total, "sha256": one.sha256}
            for one in night.payment_files
        ],
        "breaks": _breaks(night, names),
        "rejected": [
            {"reference": item.reference, "amount": -item.amount, "bank": names.get(item.bank, ""), "reason": one.reason}
            for item, one in night.unpaid
        ],
        "reports_refused": [{"name": one.name, "reason": one.reason} for one in night.reports_refused],
        "three_way": _three_way(night),
    }  # fmt: skip


def _positions(night: NightView, names: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "purpose": one.purpose.name.lower(), "bank": names.get(one.bank, f"{one.bank:04d}"), "party": one.name,
            "gross": one.gross, "refunds": one.refunds, "fee": one.fee, "net": one.net,
        }
        for one in night.positions
    ]  # fmt: skip


def _breaks(night: NightView, names: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "id": one.break_id, "reason": one.reason.value, "bank": names.get(one.bank, ""),
            "difference": one.difference, "evidence": one.evidence,
        }
        for one in night.open_breaks
    ]  # fmt: skip


def _service_days(night: NightView) -> list[dict[str, Any]]:
    return [
        {
            "service_day": date_of(one.service_day).isoformat(), "kind": one.kind.name.lower(),
            "transfers": one.transfers, "amount": one.amount,
            "late": one.service_day < night.settlement.business_date,
        }
        for one in night.days
    ]  # fmt: skip


def _three_way(night: NightView) -> list[dict[str, Any]]:
    if night.three_way is None:
        return []
    return [{**asdict(check), "unexplained": check.unexplained} for check in night.three_way.checks]
