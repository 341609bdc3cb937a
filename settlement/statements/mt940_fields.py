"""The fields of an MT940 message: taken apart, each in its place and with a value of its kind.

Source: SWIFT Category 9, MT940 field specifications 20, 21, 25, 28C, 60a, 61, 86, 62a, 64, 65.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from keys.clock import CITY
from settlement.errors import StatementRefused
from settlement.statements.dialects import Mend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settlement.statements.dialects import Dialect
    from settlement.statements.mending import Numbered
    from settlement.statements.model import Remarks

_TAG = re.compile(r":(\d{2}[A-Z]?):")
_ENVELOPE = re.compile(r"(\{1:[^{}]*\})?(\{2:[^{}]*\})?(\{3:.*\})?\{4:|-\}?|")
_CONTROL = re.compile(r"[\x00-\x1f]")
_AMOUNT = r"\d{1,12},\d{0,2}"
_BALANCE = re.compile(rf"[CD]\d{{6}}[A-Z]{{3}}{_AMOUNT}")
NUMBER = re.compile(r"\d{1,5}(/\d{1,5})?")
_LONG_NUMBER = re.compile(r"\d{1,12}(/\d{1,12})?")
_PATTERNS = {
    "20": re.compile(r"[^\s].{0,15}"),
    "25": re.compile(r"[^\s].{0,34}"),
    "28C": NUMBER,
    "61": re.compile(rf"\d{{6}}(\d{{4}})?R?[CD][A-Z]?{_AMOUNT}[A-Z][A-Z0-9]{{3}}.*"),
    **dict.fromkeys(("60F", "60M", "62F", "62M", "64", "65"), _BALANCE),
}
_LINES = frozenset({"61", "62F", "62M"})
FOLLOWS = {
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
"""Which fields may stand behind a field; "" is the end of the statement."""


class Field(NamedTuple):
    """A field of the message: its tag, its value (continuation lines behind newlines), its line."""

    tag: str
    value: str
    line: int


def fields_of(lines: Iterable[Numbered]) -> Iterator[Field]:
    """The fields in order; the envelope of the network around them is no part of them."""
    waiting: Field | None = None
    more: list[str] = []
    for number, line in lines:
        if bad := _CONTROL.search(line):
            raise StatementRefused(f"control character {ord(bad[0]):#04x} has no place in a message", number)
        if found := _TAG.match(line):
            if waiting is not None:
                yield _whole(waiting, more)
            waiting, more = Field(found.group(1), line[found.end() :], number), []
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


def _whole(begun: Field, more: list[str]) -> Field:
    return Field(begun.tag, "\n".join([begun.value, *more]), begun.line) if more else begun


def check_order(before: str, one: Field) -> None:
    """Raises StatementRefused where a field does not follow the one before."""
    allowed = FOLLOWS[before]
    if one.tag not in allowed:
        expected = " or ".join(sorted(tag for tag in allowed if tag)) or "20"
        place = f"after field {before}" if before else "at the start"
        raise StatementRefused(f"field {one.tag} {place}, where {expected} belongs", one.line)


def check_value(one: Field, dialect: Dialect, remarks: Remarks) -> None:
    """Raises StatementRefused where a field has no value of its kind; what a dialect allows more is a remark."""
    pattern = _PATTERNS.get(one.tag)
    first = one.value.split("\n", 1)[0]
    if pattern is NUMBER and Mend.LONG_NUMBER in dialect.mends and not pattern.fullmatch(first):
        pattern = _LONG_NUMBER
        remarks.add(one.line, Mend.LONG_NUMBER)
    if pattern and not pattern.fullmatch(first):
        raise StatementRefused(f"{first[:40]!r} is no value of field {one.tag}", one.line)
    if one.tag != "61" and pattern and first != one.value:
        raise StatementRefused(f"field {one.tag} has a second line", one.line + 1)
    dated = {"61": first[:6]}.get(one.tag, first[1:7] if pattern is _BALANCE else "")
    if dated:
        day_of_field(dated, one)


_DATES: dict[str, date] = {}


def day_of_field(text: str, one: Field) -> date:
    """A date as a field writes it (yymmdd); raises StatementRefused."""
    known = _DATES.get(text)
    if known is None:
        try:
            known = datetime.strptime(text, "%y%m%d").replace(tzinfo=CITY).date()
        except ValueError:
            raise StatementRefused(f"{text} in field {one.tag} is no date", one.line) from None
        if len(_DATES) < 40_000:  # noqa: PLR2004  a century has 36,525 days
            _DATES[text] = known
    return known
