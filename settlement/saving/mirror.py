"""The mirror: what a bank said that an account holds, and when. A balance is never computed into being; movements only check it.

A night brings mirror and bank together. The bank's statement, from the line where the last one ended, must lead from the balance there to the balance that
the bank tells now; each balance that was shown in between must be one that the account went through; and of our orders every one that is done stands on the
statement once, and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.money import Sen, display
from settlement.banks.payment import Record, State
from settlement.saving.links import PREFIX
from settlement.saving.store import MirrorRow, ToldRow
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keys.clock import UnixMs
    from settlement.banks.services import BankMovement, BankStatement

NO_LINE: Final = "-"
"""Where a statement ended that had no line; "" is a mirror that was never brought together with one."""
INQUIRY: Final = "inquiry"
STATEMENT: Final = "statement"


@dataclass(frozen=True, slots=True)
class Found:
    """What bringing together found: the mirror as it is now, our lines that are new, by how many sen the two were apart, and why."""

    mirror: MirrorRow
    told: tuple[ToldRow, ...]
    apart: Sen
    reasons: tuple[str, ...]


def asked(before: MirrorRow | None, balance: Sen, at: UnixMs) -> MirrorRow:
    """The mirror after a balance inquiry: the place in the statement stays where it was."""
    if before is None:
        return MirrorRow(balance, at, INQUIRY, "", balance, at)
    return MirrorRow(balance, at, INQUIRY, before.line, before.line_balance, before.line_at)


def brought_together(
    before: MirrorRow | None, statement: BankStatement, at: UnixMs, known: Sequence[ToldRow], orders: Sequence[Record]
) -> Found:  # fmt: skip
    """Mirror and bank at a moment. `known` are our lines of earlier statements, `orders` the payments by this link."""
    lines, reasons, apart = _since(before, statement.movements), [], 0
    if lines is None:
        lines, reasons, apart = (), ["the bank no longer tells the line where its last statement ended"], 1
    for by, reason in _astray(before, statement.balance, lines):
        apart += by
        reasons.append(reason)
    new = tuple(
        ToldRow(one.reference, one.bank_reference, one.amount, one.at) for one in lines if one.reference.startswith(PREFIX)
    )  # fmt: skip
    off, why = _ours([*known, *new], orders)
    last = lines[-1].bank_reference if lines else (before.line if before is not None else "") or NO_LINE
    # The next statement is asked for from that line on: it must be told again, however long ago it was.
    begins = lines[-1].at if lines else (before.line_at if before is not None and before.line else at)
    mirror = MirrorRow(statement.balance, at, STATEMENT, last, statement.balance, begins)
    return Found(mirror, new, Sen(apart + off), (*reasons, *why))


def _since(before: MirrorRow | None, told: Sequence[BankMovement]) -> tuple[BankMovement, ...] | None:
    """The lines behind the one where the last statement ended; None where that one is not told any more."""
    if before is None or before.line in {"", NO_LINE}:
        return tuple(told)
    at = next((place for place, one in enumerate(told) if one.bank_reference == before.line), None)
    return None if at is None else tuple(told[at + 1 :])


def _astray(
    before: MirrorRow | None, balance: Sen, lines: Sequence[BankMovement]
) -> Iterator[tuple[int, str]]:
    """Where the lines do not lead to the balance that the bank tells, or not by way of the one that it told before: by how much, and why."""
    begun = Sen(balance - sum(one.amount for one in lines))
    held = [before.line_balance if before is not None and before.line else begun]
    for one in lines:
        held.append(Sen(held[-1] + one.amount))
    if held[-1] != balance:
        yield abs(held[-1] - balance), f"its lines lead to {display(held[-1])}, it tells {display(balance)}"
    if before is not None and before.source == INQUIRY and before.balance not in held:
        nearest = min(abs(before.balance - one) for one in held)
        yield nearest, f"it told {display(before.balance)}, which the account never held"


def _ours(told: Sequence[ToldRow], orders: Sequence[Record]) -> tuple[int, list[str]]:
    """Our orders that are done against the bank's lines with their references: how far apart, and which."""
    wanted = {one.payment.reference: signed(one) for one in orders if one.state is State.DONE}
    open_ = {one.payment.reference for one in orders if one.state not in {State.DONE, State.FAILED}}
    shown: dict[str, int] = {}
    for line in told:
        shown[line.reference] = shown.get(line.reference, 0) + line.amount
    apart, reasons = 0, []
    for reference in sorted(wanted.keys() | shown.keys() - open_):
        here, there = wanted.get(reference, 0), shown.get(reference, 0)
        if here != there:
            apart += abs(here - there)
            reasons.append(
                f"{reference}: {display(Sen(here))} in the books, {display(Sen(there))} at the bank"
            )
    return apart, reasons


def signed(order: Record) -> int:
    """Sen that a done order moved on the holder's account: a sweep makes it grow."""
    return -order.payment.amount if order.payment.service is Service.DIRECT_DEBIT else order.payment.amount
