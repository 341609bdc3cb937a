"""What people do with breaks: look, take, comment, attach, propose and decide, dispute, export. Each act is one unit of the writer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from keys.clock import Day, date_of
from ledger.transfer import Result
from settlement.breaks import ages, store
from settlement.breaks.disputes import store as disputes
from settlement.breaks.kept import (
    FILE_BYTES_MAX,
    FILES_MAX,
    NAME_CHARACTERS_MAX,
    PAGE_MAX,
    TEXT_CHARACTERS_MAX,
    Age,
    BreakFolder,
    DisputeState,
    Filters,
    ProposalKind,
    ProposalState,
    Severity,
    What,
)
from settlement.breaks.proposals import store as proposals
from settlement.breaks.proposals.unit import Decide, Propose, found_break
from settlement.breaks.store import NO_LINE
from settlement.breaks.suspense import store as suspense
from settlement.errors import BreakRefused, BreakUnknown, FileRefused
from settlement.matching.days import tolerant
from settlement.people import person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from keys.money import Sen
    from ledger.chart import AccountId
    from ledger.store import Connection
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.books import Books
    from settlement.breaks.kept import Dispute, KeptBreak, Proposal, Sums, Totals
    from settlement.matching.days import BusinessDays
    from settlement.people import Person

    Behind = tuple[int, str]

MANY_MAX: Final = 500
"""Breaks of one bulk action."""


class BreaksDesk:
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

    def assign(self, break_ids: Sequence[str], owner: str, by: str) -> None:
        """Give breaks an owner, or none (""). Raises BreakUnknown, BreakRefused; all or none."""
        name = person(owner) if owner else ""

        def do(found: KeptBreak, act: _Act, tx: Transaction) -> None:
            store.change(tx.connection, found.break_id, owner=name)
            act.note(found, What.ASSIGNED, f"to {name}" if name else "to nobody", tx)

        self._act(break_ids, by, do)

    def comment(self, break_ids: Sequence[str], text: str, by: str) -> None:
        """Say something about breaks, for all to read."""
        said = _text(text)
        self._act(break_ids, by, lambda found, act, tx: act.note(found, What.COMMENTED, said, tx))

    def set_severity(self, break_ids: Sequence[str], severity: Severity, by: str, why: str) -> None:
        """Overrule how much hangs on breaks."""
        said = f"{severity.name.lower()}: {_text(why)}"

        def do(found: KeptBreak, act: _Act, tx: Transaction) -> None:
            store.change(tx.connection, found.break_id, severity=int(severity))
            act.note(found, What.SEVERITY, said, tx)

        self._act(break_ids, by, do)

    def attach(self, break_id: str, name: str, content: bytes, by: str) -> str:
        """Keep a file with a break; its SHA-256. Raises FileRefused where it is empty, too large, or one too many."""
        told = " ".join(name.split())[:NAME_CHARACTERS_MAX]
        if not content or len(content) > FILE_BYTES_MAX or not told.isprintable() or not told:
            raise FileRefused(
                f"{told[:40]!r} has {len(content)} bytes: a file has a name, and 1 to {FILE_BYTES_MAX} bytes"
            )
        digest = sha256(content).hexdigest()

        def do(found: KeptBreak, act: _Act, tx: Transaction) -> None:
            store.keep_file(tx.connection, digest, content)
            act.note(found, What.ATTACHED, told, tx, digest)

        self._act([break_id], by, do, _has_room)
        return digest

    def propose_write_off(self, break_id: str, by: str, why: str) -> Proposal:
        """Propose that the city bears a break's difference, or keeps it."""
        return self._propose(Propose(break_id, ProposalKind.WRITE_OFF, person(by), _text(why)))

    def propose_adjustment(self, break_id: str, against: AccountId, by: str, why: str) -> Proposal:
        """Propose that a break's difference goes against an account (`proposals.accounts.target`)."""
        return self._propose(Propose(break_id, ProposalKind.ADJUSTMENT, person(by), _text(why), against))

    def propose_reversal(self, number: int, by: str, why: str) -> Proposal:
        """Propose that an approved entry is taken back."""
        break_id = self.proposal(number).break_id
        return self._propose(
            Propose(break_id, ProposalKind.REVERSAL, person(by), _text(why), reverses=number)
        )

    def _propose(self, unit: Propose) -> Proposal:
        number: int = self._ledger.writer.submit(unit).result()
        return self.proposal(number)

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

    def approve(self, number: int, by: str, why: str = "approved") -> Proposal:
        """Approve a proposal: its entry is posted. Raises MakerIsChecker, BreakRefused, BreakUnknown."""
        return self._decide(Decide(number, ProposalState.APPROVED, person(by), _text(why)))

    def reject(self, number: int, by: str, why: str) -> Proposal:
        """Reject a proposal. Raises MakerIsChecker, BreakRefused, BreakUnknown."""
        return self._decide(Decide(number, ProposalState.REJECTED, person(by), _text(why)))

    def withdraw(self, number: int, by: str, why: str) -> Proposal:
        """Take one's own proposal back. Raises BreakRefused, BreakUnknown."""
        return self._decide(Decide(number, ProposalState.WITHDRAWN, person(by), _text(why)))

    def _decide(self, unit: Decide) -> Proposal:
        result: Result = self._ledger.writer.submit(unit).result()
        if result is not Result.POSTED:
            said = result.name.lower().replace("_", " ")
            raise BreakRefused(
                f"the ledger refused the entry of proposal {unit.number} ({said}); nothing moved"
            )
        return self.proposal(unit.number)

    def dispute(self, break_id: str, against: str, claim: str, deadline: Day, by: str) -> Dispute:
        """Open a dispute with a deadline, which is a business day from today on; its evidence are the break's files."""
        told, said = " ".join(against.split())[:NAME_CHARACTERS_MAX], _text(claim)
        if not told:
            raise BreakRefused("say whom the dispute is against")
        if not self._calendar.is_bank_day(deadline):
            raise BreakRefused(f"banks are closed on {date_of(deadline)}: name a business day")

        def checked(found: KeptBreak, tx: Transaction) -> None:
            if deadline < tx.business_date:
                raise BreakRefused(f"{date_of(deadline)} is past: name a day to come")
            if any(one.state is DisputeState.OPEN for one in disputes.of_break(tx.reading, found.break_id)):
                raise BreakRefused(f"{found.break_id} has an open dispute already: close that first")

        def do(found: KeptBreak, act: _Act, tx: Transaction) -> None:
            disputes.insert(tx.connection, break_id, told, said, deadline, act.by, tx.received_at)
            act.note(found, What.DISPUTED, f"against {told}, until {date_of(deadline)}: {said}", tx)

        self._act([break_id], by, do, checked)
        return self.folder(break_id).disputes[-1]

    def close_dispute(self, break_id: str, state: DisputeState, outcome: str, by: str) -> Dispute:
        """Say how the open dispute of a break ended."""
        said = _text(outcome)
        if state is DisputeState.OPEN:
            raise BreakRefused("a dispute ends as won, lost or withdrawn")

        def checked(found: KeptBreak, tx: Transaction) -> None:
            if not any(
                one.state is DisputeState.OPEN for one in disputes.of_break(tx.reading, found.break_id)
            ):
                raise BreakUnknown(f"{found.break_id} has no open dispute")

        def do(found: KeptBreak, act: _Act, tx: Transaction) -> None:
            ordinal = disputes.of_break(tx.connection, break_id)[-1].ordinal
            disputes.close(tx.connection, break_id, ordinal, state, act.by, tx.received_at, said)
            act.note(found, What.DISPUTE_CLOSED, f"{state.value}: {said}", tx)

        self._act([break_id], by, do, checked)
        return self.folder(break_id).disputes[-1]

    def disputes_due(self, until: Day, limit: int = 100) -> list[Dispute]:
        """Open disputes whose deadline is a day or before, the nearest first."""
        with self._ledger.database.transaction() as connection:
            return disputes.due(connection, until, min(limit, PAGE_MAX))

    def _act(self, break_ids: Sequence[str], by: str, do: _Do, check: _Check | None = None) -> None:
        self._ledger.writer.submit(_Act(tuple(dict.fromkeys(break_ids)), person(by), do, check)).result()


def _text(text: str) -> str:
    if not 0 < len(text.strip()) <= TEXT_CHARACTERS_MAX:
        raise BreakRefused(f"a text of 1 to {TEXT_CHARACTERS_MAX} characters is needed: others will read it")
    return text.strip()


def _has_room(found: KeptBreak, tx: Transaction) -> None:
    attached: Connection = tx.reading
    if sum(bool(one.sha256) for one in store.events_of(attached, found.break_id)) >= FILES_MAX:
        raise FileRefused(f"{found.break_id} has {FILES_MAX} files already")


@dataclass(slots=True)
class _Act:
    """A unit that does one thing to some breaks, and writes it into their histories."""

    break_ids: tuple[str, ...]
    by: Person
    do: _Do
    check: _Check | None
    document: bytes = b""
    _found: tuple[KeptBreak, ...] = ()

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        if not 0 < len(self.break_ids) <= MANY_MAX:
            raise BreakRefused(f"choose 1 to {MANY_MAX} breaks")
        known = store.known(tx.reading, self.break_ids)
        self._found = tuple(found_break(known.get(key), key) for key in self.break_ids)
        for found in self._found:
            if self.check is not None:
                self.check(found, tx)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
        for found in self._found:
            self.do(found, self, tx)

    def note(self, found: KeptBreak, what: What, said: str, tx: Transaction, digest: str = "") -> None:
        store.note(tx.connection, found.break_id, what, said, self.by, tx.received_at, digest)


if TYPE_CHECKING:
    _Do = Callable[[KeptBreak, _Act, Transaction], Any]
    _Check = Callable[[KeptBreak, Transaction], None]
