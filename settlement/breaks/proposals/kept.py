"""An entry that one person proposes for a break and another decides on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from keys.money import Sen
    from ledger.chart import AccountId
    from settlement.people import Person


class ProposalKind(StrEnum):
    """What an entry is for."""

    WRITE_OFF = "write-off"
    """Against fee income of the bank: the city bears the difference, or keeps it."""
    ADJUSTMENT = "adjustment"
    """Against an account of the chart that a person names."""
    REVERSAL = "reversal"
    """Takes an approved entry back; its break and its match are open again."""


class ProposalState(StrEnum):
    """What became of a proposal."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry that one person proposes and another approves; `position` is its place in the journal once it is approved."""

    number: int
    break_id: str
    kind: ProposalKind
    debit: AccountId
    credit: AccountId
    amount: Sen
    why: str
    proposed_by: Person
    proposed_at: UnixMs
    state: ProposalState
    decided_by: str
    decided_at: UnixMs
    decided_why: str
    position: int
