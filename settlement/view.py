"""A night as people look at it: read from the database in one transaction, so that its figures belong together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.money import Sen
from settlement import store
from settlement.matching import store as matching
from settlement.positions import Purpose
from settlement.statements import store as statements
from settlement.statements.kept import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keys.clock import Day
    from ledger.store import Database
    from settlement.items import Item
    from settlement.matching.store import KeptBreak, KeptMatch
    from settlement.statements.kept import BankLine, KeptFile, KeptStatement, LineKey
    from settlement.store import KeptPosition, PaymentFile, Settlement


@dataclass(frozen=True, slots=True)
class NightView:
    """Everything about one business date's settlement, and what its night found on statements."""

    settlement: Settlement
    positions: tuple[KeptPosition, ...]
    items: tuple[Item, ...]
    payment_files: tuple[PaymentFile, ...]
    statement_files: tuple[KeptFile, ...]
    statements: tuple[KeptStatement, ...]
    lines: tuple[BankLine, ...]
    matches: tuple[KeptMatch, ...]
    breaks: tuple[KeptBreak, ...]

    @property
    def proofs(self) -> dict[str, KeptMatch]:
        """The match of an item, by its reference."""
        return {match.reference: match for match in self.matches}

    @property
    def open_breaks(self) -> tuple[KeptBreak, ...]:
        """Breaks that nobody and nothing has closed."""
        return tuple(found for found in self.breaks if found.closed_night is None)

    @property
    def waiting(self) -> tuple[Item, ...]:
        """Items of the window that no statement could show yet."""
        told = {found.reference for found in self.open_breaks} | self.proofs.keys()
        return tuple(item for item in self.items if item.reference not in told)

    @property
    def movement(self) -> Sen:
        """What the night's statements moved."""
        return Sen(sum(line.line.amount for line in self.lines))

    @property
    def matched(self) -> Sen:
        """The part of the movement that matches explain."""
        return self._sum({match.line for match in self.matches})

    @property
    def in_breaks(self) -> Sen:
        """The part of the movement that stands in open breaks."""
        return self._sum({found.line for found in self.open_breaks})

    @property
    def adds_up(self) -> bool:
        """Whether matches and breaks together are the statements' movement."""
        return self.matched + self.in_breaks == self.movement

    def _sum(self, keys: set[LineKey]) -> Sen:
        return Sen(sum(line.line.amount for line in self.lines if line.key in keys))


def view(database: Database, day: Day) -> NightView | None:
    """A night by its business date; None where it is not settled."""
    with database.transaction() as connection:
        settlement = store.settlement_of(connection, day)
        if settlement is None:
            return None
        return NightView(
            settlement,
            store.positions_of(connection, day),
            store.items_of(connection, day),
            store.payment_files_of(connection, day),
            tuple(statements.files_of(connection, day)),
            tuple(statements.statements_of(connection, day)),
            tuple(matching.lines_of(connection, day)),
            tuple(matching.matches_of(connection, day)),
            tuple(matching.breaks_of(connection, day)),
        )


@dataclass(frozen=True, slots=True)
class NightReport:
    """A night in figures; sums in sen.

    `gross` and `refunds` are what operators and merchants took, subsidies included; `cash` is what agents have to deposit.
    """

    business_date: Day
    positions: int
    gross: Sen
    refunds: Sen
    fees: Sen
    cash: Sen
    entries: int
    payment_files: int
    payments: int
    paid: Sen
    statements: int
    files_refused: int
    movement: Sen
    matched: Sen
    in_breaks: Sen
    matches_by_rule: tuple[tuple[str, int], ...]
    breaks_by_reason: tuple[tuple[str, int], ...]
    waiting: int


def report(night: NightView) -> NightReport:
    """The figures of a night."""
    earned = [position for position in night.positions if position.purpose is not Purpose.CASH]
    first, last = night.settlement.first_position, night.settlement.last_position
    return NightReport(
        business_date=night.settlement.business_date,
        positions=len(night.positions),
        gross=Sen(sum(position.gross for position in earned)),
        refunds=Sen(sum(position.refunds for position in earned)),
        fees=Sen(sum(position.fee for position in earned)),
        cash=Sen(sum(position.net for position in night.positions if position.purpose is Purpose.CASH)),
        entries=last - first + 1 if first else 0,
        payment_files=len(night.payment_files),
        payments=sum(file.payments for file in night.payment_files),
        paid=Sen(sum(file.total for file in night.payment_files)),
        statements=len(night.statements),
        files_refused=sum(file.verdict is not Verdict.ACCEPTED for file in night.statement_files),
        movement=night.movement,
        matched=night.matched,
        in_breaks=night.in_breaks,
        matches_by_rule=_counted(match.rule.value for match in night.matches),
        breaks_by_reason=_counted(found.reason.value for found in night.open_breaks),
        waiting=len(night.waiting),
    )


def _counted(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items()))
