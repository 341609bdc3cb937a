"""What people do with breaks: take, comment, attach, propose and decide, dispute. Each act is one unit of the writer."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from keys.clock import Day, date_of
from ledger.transfer import Result
from settlement.breaks import store
from settlement.breaks.acting import Act, said_text
from settlement.breaks.disputes import store as disputes
from settlement.breaks.disputes.kept import DisputeState
from settlement.breaks.kept import FILE_BYTES_MAX, FILES_MAX, NAME_CHARACTERS_MAX, Severity, What
from settlement.breaks.proposals.kept import ProposalKind, ProposalState
from settlement.breaks.proposals.unit import Decide, Propose
from settlement.breaks.reading import BreaksReading
from settlement.errors import BreakRefused, BreakUnknown, FileRefused
from settlement.people import person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.chart import AccountId
    from ledger.writer import Transaction
    from settlement.breaks.acting import Check, Do
    from settlement.breaks.disputes.kept import Dispute
    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.proposals.kept import Proposal


class BreaksDesk(BreaksReading):
    """Breaks over one ledger, seen and worked on."""

    def assign(self, break_ids: Sequence[str], owner: str, by: str) -> None:
        """Give breaks an owner, or none (""). Raises BreakUnknown, BreakRefused; all or none."""
        name = person(owner) if owner else ""

        def do(found: KeptBreak, act: Act, tx: Transaction) -> None:
            store.change(tx.connection, found.break_id, owner=name)
            act.note(found, What.ASSIGNED, f"to {name}" if name else "to nobody", tx)

        self._act(break_ids, by, do)

    def comment(self, break_ids: Sequence[str], text: str, by: str) -> None:
        """Say something about breaks, for all to read."""
        said = said_text(text)
        self._act(break_ids, by, lambda found, act, tx: act.note(found, What.COMMENTED, said, tx))

    def set_severity(self, break_ids: Sequence[str], severity: Severity, by: str, why: str) -> None:
        """Overrule how much hangs on breaks."""
        said = f"{severity.name.lower()}: {said_text(why)}"

        def do(found: KeptBreak, act: Act, tx: Transaction) -> None:
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

        def do(found: KeptBreak, act: Act, tx: Transaction) -> None:
            store.keep_file(tx.connection, digest, content)
            act.note(found, What.ATTACHED, told, tx, digest)

        self._act([break_id], by, do, _need_room)
        return digest

    def propose_write_off(self, break_id: str, by: str, why: str) -> Proposal:
        """Propose that the city bears a break's difference, or keeps it."""
        return self._propose(Propose(break_id, ProposalKind.WRITE_OFF, person(by), said_text(why)))

    def propose_adjustment(self, break_id: str, against: AccountId, by: str, why: str) -> Proposal:
        """Propose that a break's difference goes against an account (`proposals.accounts.target`)."""
        return self._propose(Propose(break_id, ProposalKind.ADJUSTMENT, person(by), said_text(why), against))

    def propose_reversal(self, number: int, by: str, why: str) -> Proposal:
        """Propose that an approved entry is taken back."""
        break_id = self.proposal(number).break_id
        return self._propose(
            Propose(break_id, ProposalKind.REVERSAL, person(by), said_text(why), reverses=number)
        )

    def _propose(self, unit: Propose) -> Proposal:
        number: int = self._ledger.writer.submit(unit).result()
        return self.proposal(number)

    def approve(self, number: int, by: str, why: str = "approved") -> Proposal:
        """Approve a proposal: its entry is posted. Raises MakerIsChecker, BreakRefused, BreakUnknown."""
        return self._decide(Decide(number, ProposalState.APPROVED, person(by), said_text(why)))

    def reject(self, number: int, by: str, why: str) -> Proposal:
        """Reject a proposal. Raises MakerIsChecker, BreakRefused, BreakUnknown."""
        return self._decide(Decide(number, ProposalState.REJECTED, person(by), said_text(why)))

    def withdraw(self, number: int, by: str, why: str) -> Proposal:
        """Take one's own proposal back. Raises BreakRefused, BreakUnknown."""
        return self._decide(Decide(number, ProposalState.WITHDRAWN, person(by), said_text(why)))

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
        told, said = " ".join(against.split())[:NAME_CHARACTERS_MAX], said_text(claim)
        if not told:
            raise BreakRefused("say whom the dispute is against")
        if not self._calendar.is_bank_day(deadline):
            raise BreakRefused(f"banks are closed on {date_of(deadline)}: name a business day")

        def checked(found: KeptBreak, tx: Transaction) -> None:
            if deadline < tx.business_date:
                raise BreakRefused(f"{date_of(deadline)} is past: name a day to come")
            if any(one.state is DisputeState.OPEN for one in disputes.of_break(tx.reading, found.break_id)):
                raise BreakRefused(f"{found.break_id} has an open dispute already: close that first")

        def do(found: KeptBreak, act: Act, tx: Transaction) -> None:
            disputes.insert(tx.connection, break_id, told, said, deadline, act.by, tx.received_at)
            act.note(found, What.DISPUTED, f"against {told}, until {date_of(deadline)}: {said}", tx)

        self._act([break_id], by, do, checked)
        return self.folder(break_id).disputes[-1]

    def close_dispute(self, break_id: str, state: DisputeState, outcome: str, by: str) -> Dispute:
        """Say how the open dispute of a break ended."""
        said = said_text(outcome)
        if state is DisputeState.OPEN:
            raise BreakRefused("a dispute ends as won, lost or withdrawn")

        def checked(found: KeptBreak, tx: Transaction) -> None:
            if not any(
                one.state is DisputeState.OPEN for one in disputes.of_break(tx.reading, found.break_id)
            ):
                raise BreakUnknown(f"{found.break_id} has no open dispute")

        def do(found: KeptBreak, act: Act, tx: Transaction) -> None:
            ordinal = disputes.of_break(tx.connection, break_id)[-1].ordinal
            disputes.close(tx.connection, break_id, ordinal, state, act.by, tx.received_at, said)
            act.note(found, What.DISPUTE_CLOSED, f"{state.value}: {said}", tx)

        self._act([break_id], by, do, checked)
        return self.folder(break_id).disputes[-1]

    def _act(self, break_ids: Sequence[str], by: str, do: Do, check: Check | None = None) -> None:
        self._ledger.writer.submit(Act(tuple(dict.fromkeys(break_ids)), person(by), do, check)).result()


def _need_room(found: KeptBreak, tx: Transaction) -> None:
    if sum(bool(one.sha256) for one in store.events_of(tx.reading, found.break_id)) >= FILES_MAX:
        raise FileRefused(f"{found.break_id} has {FILES_MAX} files already")
