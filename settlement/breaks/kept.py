"""Breaks as they are kept and worked: with owner, severity, age, root cause, history, files, proposals and disputes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from ledger.chart import AccountId
    from settlement.breaks.model import Reason
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
    OUT_OF_SUSPENSE = "out of suspense"
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


@dataclass(frozen=True, slots=True)
class Suspended:
    """A line in suspense: the positions of its two entries (`left_position` 0 while it is in), and why it left."""

    number: int
    line: LineKey
    bank: int
    amount: Sen
    entered_position: int
    entered_at: UnixMs
    night: Day
    left_position: int
    left_at: UnixMs
    why: str


@dataclass(frozen=True, slots=True)
class BreakFolder:
    """A break with everything that belongs to it."""

    found: KeptBreak
    events: tuple[Event, ...]
    proposals: tuple[Proposal, ...]
    disputes: tuple[Dispute, ...]
    suspense: Suspended | None


@dataclass(frozen=True, slots=True)
class Span:
    """Breaks of some reasons whose age counts from `first` (None: ever) to `last`."""

    reasons: tuple[Reason, ...]
    first: Day | None
    last: Day


@dataclass(frozen=True, slots=True)
class Filters:
    """Which breaks are asked for; 0, "", () and False ask for all. `spans` are of `ages.spans_of`."""

    bank: int = 0
    reason: str = ""
    cause: str = ""
    owner: str = ""
    unowned: bool = False
    severity: int = 0
    text: str = ""
    closed: bool = False
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts and sums in sen of the breaks that filters ask for: `difference` as it is, `size` of its absolute values."""

    count: int
    difference: Sen
    size: Sen


@dataclass(frozen=True, slots=True)
class Sums:
    """Where the lines of all statements, or of those that one night accepted, stand; `movement` must be the sum of the others."""

    movement: Sen
    matched: Sen
    in_breaks: Sen
    in_suspense: Sen
    unplaced: int

    @property
    def adds_up(self) -> bool:
        """Whether every line is in exactly one place."""
        return not self.unplaced and self.matched + self.in_breaks + self.in_suspense == self.movement
