"""Proposing an entry and deciding on it, as units of the ledger's writer. Nobody decides what they proposed (but may withdraw it)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keys.money import display
from ledger.chart import describe
from ledger.transfer import Result
from settlement.breaks import store as breaks
from settlement.breaks.kept import What
from settlement.breaks.opening import close_of
from settlement.breaks.proposals import accounts, limits, store
from settlement.breaks.proposals.kept import ProposalKind, ProposalState
from settlement.breaks.store import NO_LINE
from settlement.breaks.suspense import store as suspense
from settlement.breaks.suspense.entries import entry, suspense_account
from settlement.errors import BreakRefused, BreakUnknown, MakerIsChecker
from settlement.matching import store as matching
from settlement.matching.acts import undo
from settlement.matching.finding import store as finding
from settlement.matching.kept import ADJUSTED, NewMatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.chart import AccountId
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.proposals.accounts import Draft
    from settlement.breaks.proposals.kept import Proposal
    from settlement.breaks.suspense.kept import Suspended
    from settlement.people import Person


def _told(act: str, by: Person, **more: Any) -> bytes:
    return json.dumps({"settlement": act, "by": by, **more}, separators=(",", ":"), sort_keys=True).encode()


def found_break(found: KeptBreak | None, break_id: str) -> KeptBreak:
    """A break that is there; raises BreakUnknown."""
    if found is None:
        raise BreakUnknown(
            f"no break has the id {break_id[:40]!r}: `hebat settlement breaks list` shows them"
        )
    return found


def _by_proposal(number: int) -> str:
    """Why a line left suspense, where an approved entry took it out."""
    return f"proposal {number}"


def _inside(tx: Transaction, found: KeptBreak) -> Suspended | None:
    stay = suspense.of_line(tx.reading, found.line) if found.line != NO_LINE else None
    return stay if stay is not None and not stay.left_position else None


@dataclass(slots=True)
class Propose:
    """An entry for a break. `against` is the account of an adjustment; `reverses` the number of the proposal that a reversal takes back."""

    break_id: str
    kind: ProposalKind
    by: Person
    why: str
    against: AccountId | None = None
    reverses: int = 0
    document: bytes = b""
    _draft: Draft | None = None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Nothing moves yet; raises BreakUnknown, BreakRefused where there is nothing to propose."""
        found = found_break(breaks.break_of(tx.reading, self.break_id), self.break_id)
        waiting = [
            one for one in store.of_break(tx.reading, self.break_id) if one.state is ProposalState.WAITING
        ]
        if waiting:
            raise BreakRefused(
                f"proposal {waiting[0].number} waits for this break already: decide on that first"
            )
        if self.kind is ProposalKind.REVERSAL:
            self._draft = accounts.reversal(_approved(tx, found, self.reverses), self.why)
            return ()
        if not found.is_open:
            raise BreakRefused(f"{self.break_id} is closed: there is nothing left to post")
        inside = _inside(tx, found)
        if self.kind is ProposalKind.WRITE_OFF:
            self._draft = accounts.write_off(found, inside, self.why)
            limits.need_within(tx.reading, self.kind, self._draft.amount)
        elif self.against is None:
            raise BreakRefused("an adjustment needs the account that it goes against")
        else:
            self._draft = accounts.adjustment(found, inside, self.against, self.why)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> int:
        """Keep it; its number."""
        draft = self._draft
        assert draft is not None  # noqa: S101  plan came first
        number = store.insert(tx.connection, draft, self.by, tx.received_at)
        movement = f"{describe(draft.debit)} > {describe(draft.credit)} {display(draft.amount)}"
        said = f"proposal {number}, {draft.kind.value}: {movement}; {draft.why}"
        breaks.note(tx.connection, draft.break_id, What.PROPOSED, said, self.by, tx.received_at)
        self.document = _told(
            "proposed", self.by, proposal=number, debit=draft.debit, credit=draft.credit, amount=draft.amount
        )
        return number


def _approved(tx: Transaction, found: KeptBreak, number: int) -> Proposal:
    one = store.proposal_of(tx.reading, number)
    if one is None or one.break_id != found.break_id:
        raise BreakUnknown(f"{found.break_id} has no proposal {number}")
    if one.state is not ProposalState.APPROVED or found.proposal != number:
        raise BreakRefused(
            f"proposal {number} has no entry to take back: it is {one.state.value}, or reversed already"
        )
    return one


@dataclass(slots=True)
class Decide:
    """What a person decides on a proposal. Approving posts its entry, closes its break, and matches what the entry explains."""

    number: int
    state: ProposalState
    by: Person
    why: str
    document: bytes = b""
    _proposal: Proposal | None = None
    _break: KeptBreak | None = None
    _stay: Suspended | None = None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The entry, where it is approved. Raises BreakUnknown, BreakRefused, MakerIsChecker."""
        one = store.proposal_of(tx.reading, self.number)
        if one is None:
            raise BreakUnknown(f"no proposal has number {self.number}")
        if one.state is not ProposalState.WAITING:
            raise BreakRefused(f"proposal {self.number} is {one.state.value} by {one.decided_by} already")
        mine = one.proposed_by == self.by
        if mine and self.state is not ProposalState.WITHDRAWN:
            raise MakerIsChecker(f"{self.by} proposed {self.number}: somebody else decides on it")
        if not mine and self.state is ProposalState.WITHDRAWN:
            raise BreakRefused(f"only {one.proposed_by} withdraws proposal {self.number}: reject it instead")
        self._proposal = one
        self._break = found_break(breaks.break_of(tx.reading, one.break_id), one.break_id)
        if self.state is not ProposalState.APPROVED:
            return ()
        self._stay = _inside(tx, self._break)
        self._check(one, self._break)
        limits.need_within(tx.reading, one.kind, one.amount)
        return (entry(one.debit, one.credit, one.amount, tx.received_at, tx.business_date),)

    def _check(self, one: Proposal, found: KeptBreak) -> None:
        """What was proposed must still be what is there."""
        if one.kind is ProposalKind.REVERSAL:
            if not found.proposal:
                raise BreakRefused(f"the entry that proposal {one.number} takes back was taken back already")
            return
        if not found.is_open:
            raise BreakRefused(
                f"{found.break_id} is closed: proposal {one.number} has nothing left to post; reject it"
            )
        moved = self._stay.amount if self._stay is not None else found.difference
        from_suspense = suspense_account(found.bank) in {one.debit, one.credit}
        if abs(moved) != one.amount or (self._stay is not None) != from_suspense:
            raise BreakRefused(
                f"{found.break_id} has changed since proposal {one.number} was made: reject it, propose anew"
            )

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> Result:
        """Note the decision, and all that follows; nothing where the ledger did not post the entry."""
        one, found = self._proposal, self._break
        assert one is not None  # noqa: S101  plan came first
        assert found is not None  # noqa: S101
        position = 0
        if self.state is ProposalState.APPROVED:
            if posted[0].result is not Result.POSTED:
                return posted[0].result
            position = posted[0].position
        store.decide(tx.connection, self.number, self.state, self.by, tx.received_at, self.why, position)
        what = {ProposalState.APPROVED: What.APPROVED, ProposalState.REJECTED: What.REJECTED}
        said = f"proposal {self.number}" + (f", entry at {position}" if position else "") + f"; {self.why}"
        breaks.note(
            tx.connection, found.break_id, what.get(self.state, What.WITHDRAWN), said, self.by, tx.received_at
        )
        if position and one.kind is ProposalKind.REVERSAL:
            self._take_back(tx, found, position)
        elif position:
            self._resolve(tx, found, position)
        self.document = _told(
            f"proposal {self.state.value}", self.by, proposal=self.number, position=position
        )
        return Result.POSTED

    def _resolve(self, tx: Transaction, found: KeptBreak, position: int) -> None:
        """The entry explains the difference: item and line are matched by it, and the break is closed for good."""
        why = _by_proposal(self.number)
        if self._stay is not None:
            suspense.leave(tx.connection, self._stay.number, position, tx.received_at, why)
        if found.match:
            matching.explain_match(tx.connection, found.match, self.number)
            breaks.change(tx.connection, found.break_id, closed_night=tx.business_date, proposal=self.number)
            breaks.note(tx.connection, found.break_id, What.CLOSED, why, self.by, tx.received_at)
        else:
            items = (found.reference,) if found.reference else ()
            lines = (found.line,) if found.line != NO_LINE else ()
            made = NewMatch(found.bank, items, lines, ADJUSTED, 100, found.difference, why, self.number)
            version = matching.rules_in_force(tx.connection).version
            matching.insert_matches(tx.connection, [made], tx.business_date, self.by, tx.received_at, version)
            close_of(tx, items, lines, why, self.by, self.number)
        matching.next_generation(tx.connection)

    def _take_back(self, tx: Transaction, found: KeptBreak, position: int) -> None:
        """The entry is taken back: what it explained is open again."""
        connection, at = tx.connection, tx.received_at
        before, number = found.proposal, self.number
        stay = suspense.of_line(connection, found.line) if found.line != NO_LINE else None
        if stay is not None and stay.why == _by_proposal(before):  # that entry took it out of suspense
            suspense.enter(connection, [(stay.line, stay.bank, stay.amount, position)], tx.business_date, at)
        breaks.change(connection, found.break_id, proposal=0)
        if found.match:
            matching.explain_match(connection, found.match, 0)
            breaks.change(connection, found.break_id, closed_night=None)
            breaks.note(connection, found.break_id, What.REOPENED, f"proposal {number}", self.by, at)
        elif (made := finding.match_by_proposal(connection, before)) is not None:
            undo(tx, made, self.by, f"proposal {number} took back the entry of proposal {before}: {self.why}")
        matching.next_generation(connection)
