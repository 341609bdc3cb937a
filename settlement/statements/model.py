"""A bank statement as all formats have it: an account, two balances, and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.money import Sen, plain
from settlement.errors import StatementRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

FILE_BYTES_MAX = 20 * 1024 * 1024
LINES_MAX = 200_000
IDENTIFIER_CHARACTERS_MAX = 80
TEXT_CHARACTERS_MAX = 10_000
NO_REFERENCE = frozenset({"", "NOTPROVIDED", "NONREF"})
"""What stands in a reference field where there is none (ISO 20022; SWIFT MT940)."""


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
class Statement:
    """An account between two balances (sen). `identifier` is the bank's own, unique with account and closing date."""

    account: str
    identifier: str
    currency: str
    opening_date: date
    opening: Sen
    closing_date: date
    closing: Sen
    lines: tuple[Line, ...]
    source_line: int

    @property
    def movement(self) -> Sen:
        """What the lines add up to."""
        return Sen(sum(line.amount for line in self.lines))


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
