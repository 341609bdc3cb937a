"""A night as people look at it: read from the database in one transaction, so that its figures belong together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from keys.money import Sen
from settlement import store
from settlement.breaks import store as breaks
from settlement.breaks.suspense import store as suspense
from settlement.matching.finding import store as finding
from settlement.night.store import three_way_of
from settlement.payments import store as payments
from settlement.positions.model import Purpose
from settlement.statements import store as statements
from settlement.statements.kept import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keys.clock import Day
    from ledger.store import Connection, Database
    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.suspense.kept import Sums
    from settlement.items import Item
    from settlement.kept import KeptPosition, PaymentFile, Settlement
    from settlement.matching.kept import KeptMatch
    from settlement.night.model import ThreeWay
    from settlement.payments.model import Outcome, Report
    from settlement.positions.model import BankNet, DayLine
    from settlement.statements.kept import BankLine, KeptFile, KeptStatement

_TAKEN: Final = {Verdict.ACCEPTED, Verdict.NOTED}
_FOR_EVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class NightView:
    """Everything about one business date's settlement, and what its night found on statements."""

    settlement: Settlement
    positions: tuple[KeptPosition, ...]
    items: tuple[Item, ...]
    nets: tuple[BankNet, ...]
    days: tuple[DayLine, ...]
    payment_files: tuple[PaymentFile, ...]
    statement_files: tuple[KeptFile, ...]
    statements: tuple[KeptStatement, ...]
    lines: tuple[BankLine, ...]
    matches: tuple[KeptMatch, ...]
    breaks: tuple[KeptBreak, ...]
    sums: Sums
    three_way: ThreeWay | None
    rejected: tuple[tuple[Item, Outcome], ...] = ()
    reports_refused: tuple[Report, ...] = ()

    @property
    def proofs(self) -> dict[str, KeptMatch]:
        """The match of an item, by its reference."""
        return {reference: match for match in self.matches for reference in match.items}

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
    def unpaid(self) -> tuple[tuple[Item, Outcome], ...]:
        """Payments of the window that their bank rejected and nothing has explained since: no line proves them, nobody closed the break."""
        left = {item.reference for item in self.waiting} | {found.reference for found in self.open_breaks}
        return tuple((item, told) for item, told in self.rejected if item.reference in left)


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
            store.nets_of(connection, day),
            store.days_of(connection, day),
            store.payment_files_of(connection, day),
            tuple(statements.files_of(connection, day)),
            tuple(statements.statements_of(connection, day)),
            tuple(statements.lines_of(connection, day)),
            tuple(finding.matches_of(connection, day)),
            tuple(breaks.breaks_of(connection, day)),
            suspense.sums(connection, day),
            three_way_of(connection, day),
            tuple(one for one in payments.rejected(connection) if one[0].window == day),
            tuple(payments.refused_reports(connection, *_between(connection, settlement))),
        )


def _between(connection: Connection, settlement: Settlement) -> tuple[UnixMs, UnixMs]:
    """From a window's closing to the next one's: what came in then belongs to its night."""
    later = [one.closed_at for one in store.settlements(connection) if one.closed_at > settlement.closed_at]
    return settlement.closed_at, min(later, default=UnixMs(_FOR_EVER))


@dataclass(frozen=True, slots=True)
class NightReport:
    """A night in figures; sums in sen. `late` counts transfers of earlier service days, `unexplained` names figures of the three-way report.

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
    reports_refused: int
    rejected: int
    movement: Sen
    matched: Sen
    in_breaks: Sen
    in_suspense: Sen
    matches_by_rule: tuple[tuple[str, int], ...]
    breaks_by_reason: tuple[tuple[str, int], ...]
    waiting: int
    late: int
    unexplained: tuple[tuple[str, int], ...]
    is_sound: bool

    @property
    def to_look_at(self) -> bool:
        """Whether a person has to look: breaks, a file that was refused, a payment that a bank rejected, a figure that nothing explains."""
        wrong = self.files_refused or self.reports_refused or self.rejected
        return bool(self.breaks_by_reason or wrong or self.unexplained)


def report(night: NightView) -> NightReport:
    """The figures of a night."""
    earned = [position for position in night.positions if position.purpose is not Purpose.CASH]
    first, last = night.settlement.first_position, night.settlement.last_position
    checks = night.three_way.checks if night.three_way else ()
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
        files_refused=sum(file.verdict not in _TAKEN for file in night.statement_files),
        reports_refused=len(night.reports_refused),
        rejected=len(night.unpaid),
        movement=night.sums.movement,
        matched=night.sums.matched,
        in_breaks=night.sums.in_breaks,
        in_suspense=night.sums.in_suspense,
        matches_by_rule=_counted(match.rule for match in night.matches),
        breaks_by_reason=_counted(found.reason.value for found in night.open_breaks),
        waiting=len(night.waiting),
        late=sum(one.transfers for one in night.days if one.service_day < night.settlement.business_date),
        unexplained=tuple((one.name, one.unexplained) for one in checks if one.unexplained),
        is_sound=night.three_way is None or night.three_way.is_sound,
    )


def _counted(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items()))
