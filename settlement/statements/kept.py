"""Statement files and lines as they are kept: whole, under their digest, with the verdict on them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from keys.clock import day_of

if TYPE_CHECKING:
    from keys.clock import Day
    from keys.money import Sen
    from settlement.statements.model import Line, Remark


class Verdict(StrEnum):
    """What became of a file."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    NOTED = "noted"
    """A notification: kept and shown; what it tells is booked by the statement that follows."""


class LineKey(NamedTuple):
    """Where a line stands: the digest of its file, the statement in it, the line in that; both count from 1."""

    sha256: str
    statement: int
    number: int

    def __str__(self) -> str:
        return f"{self.sha256[:12]}/{self.statement}/{self.number}"


class Telling(NamedTuple):
    """What a line says; a bank that says it twice has told one movement twice, or ought to explain itself."""

    booking_date: int
    amount: int
    bank_reference: str
    end_to_end: str
    reference: str
    text: str

    @classmethod
    def of(cls, line: Line) -> Telling | None:
        """What a line says; None where it has no id or reference, since two such lines may well be two movements."""
        if not (line.bank_reference or line.end_to_end or line.reference):
            return None
        booked = day_of(line.booking_date)
        return cls(booked, line.amount, line.bank_reference, line.end_to_end, line.reference, line.text)


@dataclass(frozen=True, slots=True)
class BankLine:
    """A line on our account at a bank. `repeated`: the bank has told it before, so that it counts for nothing new."""

    key: LineKey
    bank: int
    line: Line
    repeated: bool

    @property
    def reference(self) -> str:
        """The reference to match by: end to end, else the account owner's."""
        return self.line.end_to_end or self.line.reference


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A statement file without its bytes: who sent what, what became of it, and what was mended when it was read."""

    sha256: str
    name: str
    night: Day
    verdict: Verdict
    reason: str
    line: int
    bytes: int
    format: str = ""
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptStatement:
    """An accepted statement, in its place in the chain of statements of a bank."""

    sha256: str
    number: int
    bank: int
    chain: int
    account: str
    identifier: str
    opening_date: Day
    opening: Sen
    closing_date: Day
    closing: Sen
    lines: int
    night: Day
    sequence: int | None = None
