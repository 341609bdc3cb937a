"""Ledger against bank: every line that a bank has told, and everything that we expect, is matched, waits, or is a break with a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import date_of
from keys.money import Sen, display
from settlement.breaks.suspense import store as suspense
from settlement.night import store
from settlement.night.model import Check, Named, Side, Unit, listed

if TYPE_CHECKING:
    from keys.clock import Day
    from ledger.store import Connection
    from settlement.breaks.suspense.kept import Sums


def compare(connection: Connection, day: Day) -> list[Check]:
    """Figures over all windows up to this one, and all statements so far."""
    sums = suspense.sums(connection)
    return [_lines(connection, sums), _difference(connection, sums, day)]


def _lines(connection: Connection, sums: Sums) -> Check:
    """Statement movement less what is matched, in breaks and in suspense: no line is in none of them, or in two."""
    nowhere = sums.movement - sums.matched - sums.in_breaks - sums.in_suspense
    told = f"{sums.unplaced} lines are matched and in a break at once, or in neither" if sums.unplaced else ""
    return Check(
        Side.BANK,
        "statement lines in no place",
        Unit.SEN,
        nowhere,
        store.statement_lines(connection),
        text=told,
    )


def _difference(connection: Connection, sums: Sums, day: Day) -> Check:
    """What banks show less what we expect, of which each part has a name."""
    expected = store.expected(connection, day)
    breaks = [
        Named(
            one.break_id, one.difference, f"{one.reason} at bank {one.bank:04d}, since {date_of(one.night)}"
        )
        for one in store.open_breaks(connection)
    ]
    waiting = [
        Named(
            f"waiting, bank {one.bank:04d}, window {date_of(one.window)}", -one.amount,
            f"{one.items} items of {display(Sen(one.amount))} that no statement could show yet",
        )
        for one in store.waiting(connection, day)
    ]  # fmt: skip
    odd = [
        Named(
            f"match {one.number}", one.difference, f"by {one.rule}: line and item differ, as the rule allows"
        )
        for one in store.odd_matches(connection)
    ]
    return Check(
        Side.BANK, "statements less expected", Unit.SEN, sums.movement - expected.amount, expected.items,
        listed([*breaks, *waiting, *odd]),
    )  # fmt: skip
