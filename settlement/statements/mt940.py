"""MT940 (SWIFT customer statement message) on the grammar of the `mt-940` library, behind a bank's dialect.

The library forgives much (a missing comma, a date that does not exist, text after a balance), since it reads what banks write.
Money needs the reverse: what is not exactly a statement after a bank's dialect was mended is refused with its line.
Fields are read one by one as they come, so that a file of a million lines needs no more room than its lines.
Source: SWIFT Category 9, MT940 field specifications 20, 21, 25, 28C, 60a, 61, 86, 62a, 64, 65.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import mt940

from keys.money import Sen
from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements.dialects import STRICT
from settlement.statements.mending import mended
from settlement.statements.model import LINES_MAX, Line, Reading, Remarks, Statement, given
from settlement.statements.mt940_fields import (
    FOLLOWS,
    NUMBER,
    Field,
    check_order,
    check_value,
    day_of_field,
    fields_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from settlement.statements.dialects import Dialect

FORMAT = "MT940"
_GRAMMAR = mt940.models.Transactions(options=mt940.Options.all())
_GRAMMAR_61 = _GRAMMAR.tags[61]


class _Balance(NamedTuple):
    amount: Sen
    currency: str
    date: date


def read(content: bytes, dialect: Dialect = STRICT) -> Reading:
    """What an MT940 file says; raises StatementRefused with the line."""
    remarks = Remarks()
    fields = fields_of(mended(content, dialect, remarks))
    statements = tuple(_statements(fields, dialect, remarks))
    return Reading(FORMAT, statements, remarks=remarks.all())


@dataclass(slots=True)
class _Assembly:
    """A statement while its fields come in."""

    dialect: Dialect
    head: dict[str, Field] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    open_line: Field | None = None

    def take(self, one: Field) -> None:
        """Take the next field, which is in its place and has a value of its kind."""
        if one.tag == "61":
            self._finish_line("")
            self.open_line = one
        elif one.tag == "86" and self.open_line is not None:
            self._finish_line(one.value)
        else:
            self._finish_line("")
            self.head.setdefault(one.tag[:2], one)

    def _finish_line(self, details: str) -> None:
        if self.open_line is not None:
            if len(self.lines) >= LINES_MAX:
                raise StatementTooLarge(f"over {LINES_MAX} lines in one statement", self.open_line.line)
            self.lines.append(_line(self.open_line, self.currency, details, self.dialect))
            self.open_line = None

    @property
    def currency(self) -> str:
        return self.head["60"].value[7:10]

    @property
    def is_closed(self) -> bool:
        return "62" in self.head

    def statement(self) -> Statement:
        """The whole; raises StatementRefused."""
        reference, number = self.head["20"], self.head["28"].value
        opening, closing = _balance(self.head["60"]), _balance(self.head["62"])
        if opening.currency != closing.currency:
            raise StatementRefused(
                f"the closing balance is in {closing.currency}, the opening in {opening.currency}",
                reference.line,
            )
        return Statement(
            account=self.head["25"].value,
            identifier=f"{reference.value}-{number}",
            currency=opening.currency,
            opening_date=opening.date,
            opening=opening.amount,
            closing_date=closing.date,
            closing=closing.amount,
            lines=tuple(self.lines),
            source_line=reference.line,
            number=int(number.split("/")[0]) or None if NUMBER.fullmatch(number) else None,
        )


def _statements(fields: Iterable[Field], dialect: Dialect, remarks: Remarks) -> Iterator[Statement]:
    """The statements, each as soon as the next begins; all fields in the standard's order."""
    built: _Assembly | None = None
    before, last_line = "", 0
    for one in fields:
        previous = "" if one.tag == "20" and "" in FOLLOWS.get(before, ()) else before
        check_order(previous, one)
        check_value(one, dialect, remarks)
        if previous == "":
            if built is not None:
                yield built.statement()
            built = _Assembly(dialect)
        assert built is not None  # noqa: S101  field 20 came first
        built.take(one)
        # After the closing balance a field 86 speaks of the whole statement, and nothing follows it.
        before, last_line = "65" if one.tag == "86" and built.is_closed else one.tag, one.line
    if built is None:
        return
    if "" not in FOLLOWS[before]:
        raise StatementRefused(f"the message ends after field {before}, without a closing balance", last_line)
    yield built.statement()


def _told(tag: Any, one: Field) -> dict[str, Any]:
    """A field as the library reads it: from text in memory, since its front door would open files by name."""
    try:
        told: dict[str, Any] = tag(_GRAMMAR, tag.parse(_GRAMMAR, one.value))
    except (RuntimeError, ValueError, ArithmeticError) as error:
        reason = f"the grammar of MT940 does not accept it: {str(error)[:120]}"
        raise StatementRefused(reason, one.line) from None
    return told


def _groups(tag: Any, one: Field) -> dict[str, str | None]:
    """The parts of a field by the library's grammar, before it makes objects of them."""
    try:
        parts: dict[str, str | None] = tag.parse(_GRAMMAR, one.value)
    except RuntimeError as error:
        reason = f"the grammar of MT940 does not accept it: {str(error)[:120]}"
        raise StatementRefused(reason, one.line) from None
    return parts


def _balance(one: Field) -> _Balance:
    (found,) = _told(_GRAMMAR.tags[one.tag], one).values()
    return _Balance(_sen(found.amount.amount, one.line), one.value[7:10], day_of_field(one.value[1:7], one))


def _sen(amount: Decimal, line: int) -> Sen:
    scaled = amount * 100
    if scaled != scaled.to_integral_value():
        raise StatementRefused(f"{amount} has more than two decimals", line)
    return Sen(int(scaled))


def _line(one: Field, currency: str, details: str, dialect: Dialect) -> Line:
    told = _groups(_GRAMMAR_61, one)
    value_date = day_of_field(one.value[:6], one)
    return Line(
        value_date=value_date,
        booking_date=_entry_date(told["entry_month"], told["entry_day"], value_date, one),
        amount=_moved(told["status"] or "", told["amount"] or "", one),
        currency=currency,
        reference=given(told["customer_reference"]),
        end_to_end=given(dialect.reference(details)),
        text=" ".join(details.split()),
        bank_reference=(told["bank_reference"] or "").strip(),
        source_line=one.line,
    )


def _moved(status: str, amount: str, one: Field) -> Sen:
    """The signed amount of a line: D takes, C gives, and R turns either round."""
    whole, _, decimals = amount.partition(",")
    if len(decimals) > 2:  # noqa: PLR2004  sen
        raise StatementRefused(f"{amount} has more than two decimals", one.line)
    sen = int(whole) * 100 + int(decimals.ljust(2, "0"))
    return Sen(-sen if status in {"D", "RC"} else sen)


def _entry_date(month: str | None, day: str | None, value_date: date, one: Field) -> date:
    """The entry date, which names no year: of three the one that is nearest to the value date."""
    if month is None or day is None:
        return value_date
    return _nearest(month + day, value_date) or day_of_field(f"{value_date:%y}{month}{day}", one)


@lru_cache(4_096)
def _nearest(entry: str, value_date: date) -> date | None:
    found = []
    for year in (value_date.year - 1, value_date.year, value_date.year + 1):
        with suppress(ValueError):
            found.append(date(year, int(entry[:2]), int(entry[2:])))
    return min(found, key=lambda day: abs((day - value_date).days), default=None)
