"""What is known of a payment file and its payments: who made it, who released it, what the bank said became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs


class Status(StrEnum):
    """What a bank says became of a payment, in order of how far it got (ISO 20022 external status codes)."""

    PENDING = "pending"  # RCVD, PDNG
    ACCEPTED = "accepted"  # ACTC, ACCP, ACWC, ACSP
    DONE = "done"  # ACSC, ACCC
    REJECTED = "rejected"  # RJCT, CANC


@dataclass(frozen=True, slots=True)
class Release:
    """Made by one, released by another; `released_by` is "" and `released_at` None until then. `sha256` is the file's."""

    business_date: Day
    bank: int
    sha256: str
    made_by: str
    made_at: UnixMs
    released_by: str = ""
    released_at: UnixMs | None = None

    @property
    def is_released(self) -> bool:
        """Whether the bank may have it."""
        return self.released_at is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one payment; `reason` is the bank's code and words, `sha256` the report that says so."""

    reference: str
    status: Status
    reason: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Report:
    """A status report as it was kept; `reason` is "" where it was taken, else why it was refused."""

    sha256: str
    name: str
    reason: str
    line: int
    taken_at: UnixMs
