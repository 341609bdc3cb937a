"""Proposals in the database, which holds by itself that nobody decides what they proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import UnixMs
from keys.money import Sen
from ledger.chart import AccountId
from settlement.breaks.proposals.kept import Proposal, ProposalKind, ProposalState
from settlement.breaks.tables import proposals
from settlement.people import Person
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from settlement.breaks.proposals.accounts import Draft


def insert(connection: sa.Connection, draft: Draft, by: Person, at: UnixMs) -> int:
    """Keep a proposal; its number."""
    number = 1 + (connection.execute(sa.select(sa.func.max(proposals.c.number))).scalar() or 0)
    values = {
        "partition": WHOLE, "number": number, "break_id": draft.break_id, "kind": draft.kind.value, "debit": draft.debit,
        "credit": draft.credit, "amount": draft.amount, "why": draft.why, "proposed_by": by, "proposed_at": at,
        "state": ProposalState.WAITING.value, "decided_by": "", "decided_at": 0, "decided_why": "", "position": 0,
    }  # fmt: skip
    connection.execute(sa.insert(proposals), values)
    return number


def decide(
    connection: sa.Connection,
    number: int,
    state: ProposalState,
    by: Person,
    at: UnixMs,
    why: str,
    position: int = 0,
) -> None:
    """Note who decided what."""
    here = (proposals.c.partition == WHOLE, proposals.c.number == number)
    told = {
        "state": state.value,
        "decided_by": by,
        "decided_at": at,
        "decided_why": why,
        "position": position,
    }
    connection.execute(sa.update(proposals).where(*here).values(**told))


def proposal_of(connection: sa.Connection, number: int) -> Proposal | None:
    """A proposal by its number; None where there is none."""
    here = (proposals.c.partition == WHOLE, proposals.c.number == number)
    row = connection.execute(sa.select(proposals).where(*here)).first()
    return None if row is None else _proposal(row)


def of_break(connection: sa.Connection, break_id: str) -> tuple[Proposal, ...]:
    """All proposals of a break, by number."""
    here = (proposals.c.partition == WHOLE, proposals.c.break_id == break_id)
    query = sa.select(proposals).where(*here).order_by(proposals.c.number)
    return tuple(_proposal(row) for row in connection.execute(query))


def page(connection: sa.Connection, state: ProposalState, behind: int, limit: int) -> list[Proposal]:
    """Proposals in a state by number, those behind one."""
    here = (proposals.c.partition == WHOLE, proposals.c.state == state.value, proposals.c.number > behind)
    query = sa.select(proposals).where(*here).order_by(proposals.c.number).limit(limit)
    return [_proposal(row) for row in connection.execute(query)]


def _proposal(row: Any) -> Proposal:
    return Proposal(
        row.number, row.break_id, ProposalKind(row.kind), AccountId(row.debit), AccountId(row.credit), Sen(row.amount), row.why,
        Person(row.proposed_by), UnixMs(row.proposed_at), ProposalState(row.state), row.decided_by, UnixMs(row.decided_at),
        row.decided_why, row.position,
    )  # fmt: skip
