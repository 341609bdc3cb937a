"""What people see of breaks: pages and totals, ages, the folder of one, its files, proposals, suspense. Changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from settlement.breaks import ages, store
from settlement.breaks.disputes import store as disputes
from settlement.breaks.filters import Filters
from settlement.breaks.kept import PAGE_MAX, Age, BreakFolder
from settlement.breaks.proposals import store as proposals
from settlement.breaks.proposals.kept import ProposalState
from settlement.breaks.proposals.unit import found_break
from settlement.breaks.store import NO_LINE
from settlement.breaks.suspense import store as suspense
from settlement.errors import BreakUnknown
from settlement.matching.days import tolerant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.clock import Day
    from keys.money import Sen
    from settlement.books import Books
    from settlement.breaks.filters import Totals
    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.proposals.kept import Proposal
    from settlement.breaks.suspense.kept import Sums
    from settlement.matching.days import BusinessDays

    Behind = tuple[int, str]


class BreaksReading:
    """Breaks over one ledger, with the calendar of its banks."""

    def __init__(self, ledger: Books, calendar: BusinessDays) -> None:
        self._ledger = ledger
        self._calendar = tolerant(calendar)

    def page(self, filters: Filters, behind: Behind | None = None, limit: int = 100) -> list[KeptBreak]:
        """Breaks, oldest first; `behind` is (`since`, `break_id`) of the last one seen. For filters by age see `with_age`."""
        with self._ledger.database.transaction() as connection:
            return store.page(connection, filters, behind, min(limit, PAGE_MAX))

    def each(self, filters: Filters) -> Iterator[KeptBreak]:
        """All breaks that filters ask for, oldest first: for an export."""
        behind: Behind | None = None
        while found := self.page(filters, behind, PAGE_MAX):
            yield from found
            behind = (found[-1].since, found[-1].break_id)

    def totals(self, filters: Filters) -> Totals:
        """How many breaks filters ask for, and how much hangs on them."""
        with self._ledger.database.transaction() as connection:
            return store.totals(connection, filters)

    def with_age(self, filters: Filters, age: Age, today: Day) -> Filters:
        """Filters that ask for one bucket of age besides, as of a day."""
        return replace(filters, spans=ages.spans_of(age, today, self._calendar))

    def ageing(self, today: Day, filters: Filters | None = None) -> dict[Age, tuple[int, int]]:
        """Count and absolute sum of open breaks by bucket of age, in the buckets' order."""
        with self._ledger.database.transaction() as connection:
            found = store.ages(connection, filters or Filters())
        return ages.counted(found, today, self._calendar)

    def age(self, found: KeptBreak, today: Day) -> Age:
        """A break's bucket of age on a day."""
        return ages.age_of(found.reason, found.since, today, self._calendar)

    def sums(self, night: Day | None = None) -> Sums:
        """Where the lines of all statements, or of those that one night accepted, stand."""
        with self._ledger.database.transaction() as connection:
            return suspense.sums(connection, night)

    def suspense(self) -> dict[int, tuple[int, Sen]]:
        """How many lines each bank has in suspense, and their sum."""
        with self._ledger.database.transaction() as connection:
            return suspense.by_bank(connection)

    def folder(self, break_id: str) -> BreakFolder:
        """A break with everything that belongs to it; raises BreakUnknown."""
        with self._ledger.database.transaction() as connection:
            found = found_break(store.break_of(connection, break_id), break_id)
            stay = suspense.of_line(connection, found.line) if found.line != NO_LINE else None
            return BreakFolder(
                found, store.events_of(connection, break_id), proposals.of_break(connection, break_id),
                disputes.of_break(connection, break_id), stay,
            )  # fmt: skip

    def file(self, digest: str) -> bytes:
        """The bytes of an attached file; raises BreakUnknown."""
        with self._ledger.database.transaction() as connection:
            found = store.file_of(connection, digest)
        if found is None:
            raise BreakUnknown("nobody attached a file with this digest")
        return found

    def proposal(self, number: int) -> Proposal:
        """A proposal; raises BreakUnknown."""
        with self._ledger.database.transaction() as connection:
            found = proposals.proposal_of(connection, number)
        if found is None:
            raise BreakUnknown(f"no proposal has number {number}")
        return found

    def proposals(
        self, state: ProposalState = ProposalState.WAITING, behind: int = 0, limit: int = 100
    ) -> list[Proposal]:
        """Proposals in a state, by number."""
        with self._ledger.database.transaction() as connection:
            return proposals.page(connection, state, behind, min(limit, PAGE_MAX))
