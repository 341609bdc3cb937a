"""The ledger's expectations against the banks' statements: every item and every line ends in exactly one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.money import Sen
from settlement.breaks import Break, classify
from settlement.matching.exact import Match, match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keys.clock import Day
    from settlement.items import Item
    from settlement.statements.kept import BankLine


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Matches, breaks, and items that wait for a statement.

    `matched` + `in_breaks` is the movement of the statements, and `difference` is that movement less what was expected
    and is not waiting.
    """

    matches: tuple[Match, ...]
    breaks: tuple[Break, ...]
    waiting: tuple[Item, ...]

    @property
    def matched(self) -> Sen:
        """Sum of the lines that matches prove."""
        return Sen(sum(match.line.line.amount for match in self.matches))

    @property
    def in_breaks(self) -> Sen:
        """Sum of the lines that stand in breaks."""
        return Sen(sum(found.line.line.amount for found in self.breaks if found.line))

    @property
    def difference(self) -> Sen:
        """Sum of the breaks' differences."""
        return Sen(sum(found.difference for found in self.breaks))


def reconcile(items: Sequence[Item], lines: Sequence[BankLine], covered: Mapping[int, Day]) -> Reconciliation:
    """Match what is open; `covered` says up to which day the statements of each bank reach."""
    matches = match(items, lines)
    done_items = {found.item.reference for found in matches}
    done_lines = {found.line.key for found in matches}
    left = classify(
        [item for item in items if item.reference not in done_items],
        [line for line in lines if line.key not in done_lines],
        covered,
    )
    return Reconciliation(tuple(matches), left.breaks, left.waiting)
