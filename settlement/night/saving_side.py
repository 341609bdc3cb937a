"""Mirror against bank: what we show of holders' saving accounts is what the banks say, and our orders stand on their statements once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.night.model import Check, Named, Side, Unit, listed
from settlement.saving import store

if TYPE_CHECKING:
    from keys.clock import Day
    from ledger.store import Connection


def compare(connection: Connection, day: Day) -> list[Check]:
    """The figures of a night; none where no account is linked."""
    rows = store.checks_of(connection, day)
    if not rows:
        return []
    off = [one for one in rows if one.apart]
    away = [one for one in rows if not one.reached]
    told = "; ".join(f"link {one.uid:014X}/{one.ordinal} at {one.bank}: {one.text}" for one in off[:20])
    named = [
        Named(f"link {one.uid:014X}/{one.ordinal}", 1, f"{one.bank} did not tell: {one.text}") for one in away
    ]
    reached = len(rows) - len(away)
    return [
        Check(
            Side.BANK,
            "savings: mirror less bank",
            Unit.SEN,
            sum(one.apart for one in off),
            reached,
            text=told,
        ),
        Check(Side.BANK, "savings: accounts not told", Unit.COUNT, len(away), len(rows), listed(named)),
    ]
