"""A claim that a break gave rise to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from settlement.people import Person


class DisputeState(StrEnum):
    """What became of a dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A claim against a bank or party, with a deadline (a business day); its evidence is the break's files."""

    break_id: str
    ordinal: int
    against: str
    claim: str
    deadline: Day
    opened_by: Person
    opened_at: UnixMs
    state: DisputeState
    closed_by: str
    closed_at: UnixMs
    outcome: str
