"""A bank statement as all formats have it: an account, two balances, and the lines between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.money import Sen, plain
from settlement.errors import StatementRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

FILE_BYTES_MAX = 512 * 1024 * 1024
"""A file of a million lines fits; the database keeps it as one value (SQLite: at most 1,000,000,000 bytes)."""
LINES_MAX = 2_000_000
REMARKS_MAX = 200
IDENTIFIER_CHARACTERS_MAX = 80
TEXT_CHARACTERS_MAX = 10_000
NO_REFERENCE = frozenset({"", "NOTPROVIDED", "NONREF"})
"""What stands in a reference field where there is none (ISO 20022; SWIFT MT940)."""
_OURS = re.compile(r"KSH-\d{8}-\d{4}-\d{4}(?!\d)")


@dataclass(frozen=True, slots=True)
class Line:
    """One movement: sen, positive where the account grows.

    `end_to_end` is the reference that travelled with the payment, `reference` the account owner's own, `bank_reference` the
    bank's id of the movement; each is empty where the bank gives none. `source_line` is the file's line, from 1.
    """

    value_date: date
    booking_date: date
    amount: Sen
    currency: str
    reference: str
    end_to_end: str
    text: str
    bank_reference: str
    source_line: int


@dataclass(frozen=True, slots=True)
class Remark:
    """What was mended, or is odd, in a file that was read all the same. `line` counts from 1; 0 where the whole is meant."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """An account between two balances (sen). `identifier` is the bank's own, unique with account and closing date.

    `number` is the bank's count of its statements, None where it keeps none. Where the file tells no balances,
    `balanced` is False: it opens with 0, and closes with what its lines add up to.
    """

    account: str
    identifier: str
    currency: str
    opening_date: date
    opening: Sen
    closing_date: date
    closing: Sen
    lines: tuple[Line, ...]
    source_line: int
    number: int | None = None
    balanced: bool = True

    @property
    def movement(self) -> Sen:
        """What the lines add up to."""
        return Sen(sum(line.amount for line in self.lines))


@dataclass(frozen=True, slots=True)
class Notice:
    """What a bank told of single movements before their statement (camt.054): it proves nothing and moves nothing."""

    account: str
    identifier: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: its format, its statements or notices, and what was mended on the way."""

    format: str
    statements: tuple[Statement, ...] = ()
    notices: tuple[Notice, ...] = ()
    remarks: tuple[Remark, ...] = ()


NOTHING = Reading("")
"""What a file says that was refused."""


class Remarks:
    """Remarks as they come up; over `REMARKS_MAX` they are counted only."""

    def __init__(self) -> None:
        self._kept: list[Remark] = []
        self._more = 0

    def add(self, line: int, text: str) -> None:
        """Note one."""
        if len(self._kept) < REMARKS_MAX:
            self._kept.append(Remark(line, text))
        else:
            self._more += 1

    def all(self) -> tuple[Remark, ...]:
        """All of them, in order of the file's lines."""
        kept = sorted(self._kept, key=lambda remark: remark.line)
        more = [Remark(0, f"and {self._more} more remarks like these")] if self._more else []
        return tuple(kept + more)


def checked(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements of one file, if each adds up and there is one at all; raises StatementRefused."""
    if not statements:
        raise StatementRefused("there is no statement in this file")
    for statement in statements:
        _check(statement)
    return tuple(statements)


def _check(statement: Statement) -> None:
    if len(statement.lines) > LINES_MAX:
        raise StatementRefused(f"over {LINES_MAX} lines in one statement", statement.source_line)
    if len(statement.identifier) > IDENTIFIER_CHARACTERS_MAX:
        raise StatementRefused(
            f"a statement's id of over {IDENTIFIER_CHARACTERS_MAX} characters", statement.source_line
        )
    for line in statement.lines:
        if (
            max(map(len, (line.text, line.reference, line.end_to_end, line.bank_reference)))
            > TEXT_CHARACTERS_MAX
        ):
            raise StatementRefused(f"a text of over {TEXT_CHARACTERS_MAX} characters", line.source_line)
        if line.currency != statement.currency:
            raise StatementRefused(
                f"a line in {line.currency} on an account in {statement.currency}", line.source_line
            )
    expected = Sen(statement.opening + statement.movement)
    if expected != statement.closing:
        raise StatementRefused(
            f"opening {plain(statement.opening)} and lines {plain(statement.movement)} give {plain(expected)},"
            f" but the closing balance says {plain(statement.closing)}",
            statement.source_line,
        )


def given(reference: str | None) -> str:
    """A reference, or "" where the field says that there is none."""
    text = (reference or "").strip()
    return "" if text in NO_REFERENCE else text


def ours_in(text: str) -> str:
    """A reference of ours that a bank put into free text, "" where there is none, or more than one."""
    found = set(_OURS.findall(text))
    return found.pop() if len(found) == 1 else ""
