"""Breaks as they are kept and worked: with owner, severity, age, root cause, history, files, proposals and disputes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from settlement.breaks.disputes.kept import Dispute
    from settlement.breaks.model import Reason
    from settlement.breaks.proposals.kept import Proposal
    from settlement.breaks.suspense.kept import Suspended
    from settlement.people import Person
    from settlement.statements.kept import LineKey

FILE_BYTES_MAX: Final = 10 * 1024 * 1024
FILES_MAX: Final = 50
"""Files of one break."""
TEXT_CHARACTERS_MAX: Final = 4_000
NAME_CHARACTERS_MAX: Final = 120
PAGE_MAX: Final = 500


class Severity(IntEnum):
    """How much hangs on a break."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Cause(StrEnum):
    """A root cause that the data shows."""

    NONE = ""
    MISSING_UPLOAD = "missing terminal upload"
    FEE_CHANGE = "fee change"
    BANK_HOLIDAY = "bank holiday"
    DUPLICATE_PAYMENT = "duplicate payment"
    WRONG_ACCOUNT = "wrong account"
    RETURNED_PAYMENT = "returned payment"
    REJECTED_PAYMENT = "payment rejected by the bank"
    BANK_FEE = "bank fee"


class Age(StrEnum):
    """How long a break has been there: in business days of 24 h where a bank has to act, else in days."""

    DAY = "up to 24 h"
    THREE_DAYS = "up to 72 h"
    FIVE_DAYS = "up to 120 h"
    OLDER = "over 120 h"


@dataclass(frozen=True, slots=True)
class KeptBreak:
    """A break; `closed_night` is None while it is open. `line` is empty where no line belongs to it.

    `shown` is what its line shows, `difference` that less what was expected. `match` is the match that a fee was kept in, `proposal` the
    approved one that resolved it (0: none). `since` is the day from which its age counts.
    """

    break_id: str
    reason: Reason
    bank: int
    reference: str
    window: Day | None
    line: LineKey
    match: int
    shown: Sen
    difference: Sen
    evidence: str
    cause: Cause
    cause_evidence: str
    severity: Severity
    owner: str
    since: Day
    night: Day
    closed_night: Day | None
    proposal: int

    @property
    def is_open(self) -> bool:
        """True while nobody and nothing has closed it."""
        return self.closed_night is None


class What(StrEnum):
    """What happened to a break."""

    OPENED = "opened"
    CLOSED = "closed"
    REOPENED = "reopened"
    CAUSE = "cause named"
    SUSPENSE = "into suspense"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    ATTACHED = "attached"
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    DISPUTED = "disputed"
    DISPUTE_CLOSED = "dispute closed"
    SEVERITY = "severity set"


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a break's history. `sha256` is the digest of a file that was attached, else empty."""

    ordinal: int
    at: UnixMs
    who: Person
    what: What
    said: str
    sha256: str


@dataclass(frozen=True, slots=True)
class BreakFolder:
    """A break with everything that belongs to it."""

    found: KeptBreak
    events: tuple[Event, ...]
    proposals: tuple[Proposal, ...]
    disputes: tuple[Dispute, ...]
    suspense: Suspended | None
