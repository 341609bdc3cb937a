"""MT940 (SWIFT customer statement message) on the grammar of the `mt-940` library, behind a bank's dialect.

The library forgives much (a missing comma, a date that does not exist, text after a balance), since it reads what banks write.
Money needs the reverse: what is not exactly a statement after a bank's dialect was mended is refused with its line.
Fields are read one by one as they come, so that a file of a million lines needs no more room than its lines.
Source: SWIFT Category 9, MT940 field specifications 20, 21, 25, 28C, 60a, 61, 86, 62a, 64, 65.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import mt940

from keys.clock import CITY
from keys.money import Sen
from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements.dialects import STRICT, Mend
from settlement.statements.mending import mended
from settlement.statements.model import LINES_MAX, Line, Reading, Remarks, Statement, given

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from settlement.statements.dialects import Dialect
    from settlement.statements.mending import Numbered

FORMAT = "MT940"
_TAG = re.compile(r":(\d{2}[A-Z]?):")
_ENVELOPE = re.compile(r"(\{1:[^{}]*\})?(\{2:[^{}]*\})?(\{3:.*\})?\{4:|-\}?|")
_CONTROL = re.compile(r"[\x00-\x1f]")
_AMOUNT = r"\d{1,12},\d{0,2}"
_BALANCE = re.compile(rf"[CD]\d{{6}}[A-Z]{{3}}{_AMOUNT}")
_NUMBER = re.compile(r"\d{1,5}(/\d{1,5})?")
_LONG_NUMBER = re.compile(r"\d{1,12}(/\d{1,12})?")
_PATTERNS = {
    "20": re.compile(r"[^\s].{0,15}"),
    "25": re.compile(r"[^\s].{0,34}"),
    "28C": _NUMBER,
    "61": re.compile(rf"\d{{6}}(\d{{4}})?R?[CD][A-Z]?{_AMOUNT}[A-Z][A-Z0-9]{{3}}.*"),
    **dict.fromkeys(("60F", "60M", "62F", "62M", "64", "65"), _BALANCE),
}
_LINES = frozenset({"61", "62F", "62M"})
_FOLLOWS = {
    "": frozenset({"20"}),
    "20": frozenset({"21", "25"}),
    "21": frozenset({"25"}),
    "25": frozenset({"28C"}),
    "28C": frozenset({"60F", "60M"}),
    "60F": _LINES,
    "60M": _LINES,
    "61": _LINES | {"86"},
    "86": _LINES,
    "62F": frozenset({"64", "65", "86", ""}),
    "62M": frozenset({"64", "65", "86", ""}),
    "64": frozenset({"65", "86", ""}),
    "65": frozenset({"65", "86", ""}),
}
_GRAMMAR = mt940.models.Transactions(options=mt940.Options.all())
_GRAMMAR_61 = _GRAMMAR.tags[61]


class _Field(NamedTuple):
    """A field of the message: its tag, its value (continuation lines behind newlines), its line."""

    tag: str
    value: str
    line: int


class _Balance(NamedTuple):
    amount: Sen
    currency: str
    date: date


def read(content: bytes, dialect: Dialect = STRICT) -> Reading:
    """What an MT940 file says; raises StatementRefused with the line."""
    remarks = Remarks()
    fields = _fields(mended(content, dialect, remarks))
    statements = tuple(_statements(fields, dialect, remarks))
    return Reading(FORMAT, statements, remarks=remarks.all())


def _fields(lines: Iterable[Numbered]) -> Iterator[_Field]:
    """The fields in order; the envelope of the network around them is no part of them."""
    waiting: _Field | None = None
    more: list[str] = []
    for number, line in lines:
        if bad := _CONTROL.search(line):
            raise StatementRefused(f"control character {ord(bad[0]):#04x} has no place in a message", number)
        if found := _TAG.match(line):
            if waiting is not None:
                yield _whole(waiting, more)
            waiting, more = _Field(found.group(1), line[found.end() :], number), []
        elif _ENVELOPE.fullmatch(line.strip()):
            if waiting is not None and line.strip():
                yield _whole(waiting, more)
                waiting = None
        elif waiting is None:
            raise StatementRefused(f"{line[:30]!r} stands outside any field", number)
        else:
            more.append(line)
    if waiting is not None:
        yield _whole(waiting, more)


def _whole(begun: _Field, more: list[str]) -> _Field:
    return _Field(begun.tag, "\n".join([begun.value, *more]), begun.line) if more else begun


@dataclass(slots=True)
class _Assembly:
    """A statement while its fields come in."""

    dialect: Dialect
    head: dict[str, _Field] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    open_line: _Field | None = None

    def take(self, one: _Field) -> None:
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
            number=int(number.split("/")[0]) or None if _NUMBER.fullmatch(number) else None,
        )


def _statements(fields: Iterable[_Field], dialect: Dialect, remarks: Remarks) -> Iterator[Statement]:
    """The statements, each as soon as the next begins; all fields in the standard's order."""
    built: _Assembly | None = None
    before, last_line = "", 0
    for one in fields:
        previous = "" if one.tag == "20" and "" in _FOLLOWS.get(before, ()) else before
        _check_order(previous, one)
        _check_value(one, dialect, remarks)
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
    if "" not in _FOLLOWS[before]:
        raise StatementRefused(f"the message ends after field {before}, without a closing balance", last_line)
    yield built.statement()


def _check_order(before: str, one: _Field) -> None:
    allowed = _FOLLOWS[before]
    if one.tag not in allowed:
        expected = " or ".join(sorted(tag for tag in allowed if tag)) or "20"
        place = f"after field {before}" if before else "at the start"
        raise StatementRefused(f"field {one.tag} {place}, where {expected} belongs", one.line)


def _check_value(one: _Field, dialect: Dialect, remarks: Remarks) -> None:
    pattern = _PATTERNS.get(one.tag)
    first = one.value.split("\n", 1)[0]
    if pattern is _NUMBER and Mend.LONG_NUMBER in dialect.mends and not pattern.fullmatch(first):
        pattern = _LONG_NUMBER
        remarks.add(one.line, Mend.LONG_NUMBER)
    if pattern and not pattern.fullmatch(first):
        raise StatementRefused(f"{first[:40]!r} is no value of field {one.tag}", one.line)
    if one.tag != "61" and pattern and first != one.value:
        raise StatementRefused(f"field {one.tag} has a second line", one.line + 1)
    dated = {"61": first[:6]}.get(one.tag, first[1:7] if pattern is _BALANCE else "")
    if dated:
        _date(dated, one)


_DATES: dict[str, date] = {}


def _date(text: str, one: _Field) -> date:
    known = _DATES.get(text)
    if known is None:
        try:
            known = datetime.strptime(text, "%y%m%d").replace(tzinfo=CITY).date()
        except ValueError:
            raise StatementRefused(f"{text} in field {one.tag} is no date", one.line) from None
        if len(_DATES) < 40_000:  # noqa: PLR2004  a century has 36,525 days
            _DATES[text] = known
    return known


def _told(tag: Any, one: _Field) -> dict[str, Any]:
    """A field as the library reads it: from text in memory, since its front door would open files by name."""
    try:
        told: dict[str, Any] = tag(_GRAMMAR, tag.parse(_GRAMMAR, one.value))
    except (RuntimeError, ValueError, ArithmeticError) as error:
        reason = f"the grammar of MT940 does not accept it: {str(error)[:120]}"
        raise StatementRefused(reason, one.line) from None
    return told


def _groups(tag: Any, one: _Field) -> dict[str, str | None]:
    """The parts of a field by the library's grammar, before it makes objects of them."""
    try:
        parts: dict[str, str | None] = tag.parse(_GRAMMAR, one.value)
    except RuntimeError as error:
        reason = f"the grammar of MT940 does not accept it: {str(error)[:120]}"
        raise StatementRefused(reason, one.line) from None
    return parts


def _balance(one: _Field) -> _Balance:
    (found,) = _told(_GRAMMAR.tags[one.tag], one).values()
    return _Balance(_sen(found.amount.amount, one.line), one.value[7:10], _date(one.value[1:7], one))


def _sen(amount: Decimal, line: int) -> Sen:
    scaled = amount * 100
    if scaled != scaled.to_integral_value():
        raise StatementRefused(f"{amount} has more than two decimals", line)
    return Sen(int(scaled))


def _line(one: _Field, currency: str, details: str, dialect: Dialect) -> Line:
    told = _groups(_GRAMMAR_61, one)
    value_date = _date(one.value[:6], one)
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


def _moved(status: str, amount: str, one: _Field) -> Sen:
    """The signed amount of a line: D takes, C gives, and R turns either round."""
    whole, _, decimals = amount.partition(",")
    if len(decimals) > 2:  # noqa: PLR2004  sen
        raise StatementRefused(f"{amount} has more than two decimals", one.line)
    sen = int(whole) * 100 + int(decimals.ljust(2, "0"))
    return Sen(-sen if status in {"D", "RC"} else sen)


def _entry_date(month: str | None, day: str | None, value_date: date, one: _Field) -> date:
    """The entry date, which names no year: of three the one that is nearest to the value date."""
    if month is None or day is None:
        return value_date
    return _nearest(month + day, value_date) or _date(f"{value_date:%y}{month}{day}", one)


@lru_cache(4_096)
def _nearest(entry: str, value_date: date) -> date | None:
    found = []
    for year in (value_date.year - 1, value_date.year, value_date.year + 1):
        with suppress(ValueError):
            found.append(date(year, int(entry[:2]), int(entry[2:])))
    return min(found, key=lambda day: abs((day - value_date).days), default=None)
