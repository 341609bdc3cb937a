"""MT940 (SWIFT customer statement message) on the grammar of the `mt-940` library, behind a bank's dialect.

The library forgives much (a missing comma, a date that does not exist, text after a balance), since it reads what banks write.
Money needs the reverse: what is not exactly a statement is refused with its line, and a dialect says what one bank does otherwise.
Source: SWIFT Category 9, MT940 field specifications 20, 21, 25, 28C, 60a, 61, 86, 62a, 64, 65.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import mt940

from keys.clock import CITY
from keys.money import Sen
from settlement.errors import StatementRefused
from settlement.statements.model import Line, Statement, given

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from decimal import Decimal

_TAG = re.compile(r":(\d{2}[A-Z]?):")
_ENVELOPE = re.compile(r"(\{1:[^{}]*\})?(\{2:[^{}]*\})?(\{3:.*\})?\{4:|-\}?|")
_AMOUNT = r"\d{1,12},\d{0,2}"
_BALANCE = re.compile(rf"[CD]\d{{6}}[A-Z]{{3}}{_AMOUNT}")
_PATTERNS = {
    "20": re.compile(r"[^\s].{0,15}"),
    "25": re.compile(r"[^\s].{0,34}"),
    "28C": re.compile(r"\d{1,5}(/\d{1,5})?"),
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
_EREF = re.compile(r"/EREF/([^/]*)")


class _Field(NamedTuple):
    """A field of the message: its tag, its value (continuation lines behind newlines), its line."""

    tag: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one bank does otherwise: `prepare` turns its text into the standard's, `reference` finds the end-to-end id."""

    name: str
    encoding: str
    prepare: Callable[[str], str]
    reference: Callable[[str], str]


def end_to_end_of(details: str) -> str:
    """The reference behind /EREF/ in field 86."""
    found = _EREF.search(details.replace("\n", ""))
    return found.group(1) if found else ""


STRICT = Dialect("strict", "utf-8", prepare=lambda text: text, reference=end_to_end_of)


def read(content: bytes, dialect: Dialect = STRICT) -> list[Statement]:
    """The statements of an MT940 file; raises StatementRefused with the line."""
    try:
        text = dialect.prepare(content.decode(dialect.encoding))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StatementRefused(f"a byte that is no {dialect.encoding} text", line) from None
    return [_statement(block, dialect) for block in _blocks(_fields(text))]


def _fields(text: str) -> list[_Field]:
    fields: list[_Field] = []
    closed = True
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if bad := next((mark for mark in line if mark < " "), None):
            raise StatementRefused(f"control character {ord(bad):#04x} has no place in a message", number)
        if found := _TAG.match(line):
            fields.append(_Field(found.group(1), line[found.end() :], number))
            closed = False
        elif _ENVELOPE.fullmatch(line.strip()):
            closed = closed or bool(line.strip())
        elif closed:
            raise StatementRefused(f"{line[:30]!r} stands outside any field", number)
        else:
            tag, value, first = fields[-1]
            fields[-1] = _Field(tag, f"{value}\n{line}", first)
    return fields


def _blocks(fields: list[_Field]) -> list[list[_Field]]:
    """The fields of each statement, in the standard's order."""
    blocks: list[list[_Field]] = []
    before = ""
    for field in fields:
        previous = "" if field.tag == "20" and "" in _FOLLOWS.get(before, ()) else before
        _check_order(previous, field)
        if previous == "":
            blocks.append([])
        blocks[-1].append(field)
        _check_value(field)
        # After the closing balance a field 86 speaks of the whole statement, and nothing follows it.
        before = "65" if field.tag == "86" and _is_closed(blocks[-1]) else field.tag
    if fields and "" not in _FOLLOWS[before]:
        raise StatementRefused(
            f"the message ends after field {before}, without a closing balance", fields[-1].line
        )
    return blocks


def _is_closed(block: list[_Field]) -> bool:
    return any(field.tag in {"62F", "62M"} for field in block)


def _check_order(before: str, field: _Field) -> None:
    allowed = _FOLLOWS[before]
    if field.tag not in allowed:
        expected = " or ".join(sorted(tag for tag in allowed if tag)) or "20"
        place = f"after field {before}" if before else "at the start"
        raise StatementRefused(f"field {field.tag} {place}, where {expected} belongs", field.line)


def _check_value(field: _Field) -> None:
    pattern = _PATTERNS.get(field.tag)
    first = field.value.split("\n", 1)[0]
    if pattern and not pattern.fullmatch(first):
        raise StatementRefused(f"{first[:40]!r} is no value of field {field.tag}", field.line)
    if field.tag != "61" and pattern and first != field.value:
        raise StatementRefused(f"field {field.tag} has a second line", field.line + 1)
    dated = {"61": first[:6]}.get(field.tag, first[1:7] if pattern is _BALANCE else "")
    if dated:
        _date(dated, field)


def _date(text: str, field: _Field) -> date:
    try:
        return datetime.strptime(text, "%y%m%d").replace(tzinfo=CITY).date()
    except ValueError:
        raise StatementRefused(f"{text} in field {field.tag} is no date", field.line) from None


def _statement(block: list[_Field], dialect: Dialect) -> Statement:
    first = block[0].line
    parsed = _parsed(block)
    opening, closing = _balance(parsed.data, "opening", first), _balance(parsed.data, "closing", first)
    if opening.currency != closing.currency:
        raise StatementRefused(
            f"the closing balance is in {closing.currency}, the opening in {opening.currency}", first
        )
    starts = [field.line for field in block if field.tag == "61"]
    details = _details(block)
    lines = tuple(
        _line(transaction.data, opening.currency, text, dialect, start)
        for transaction, start, text in zip(parsed.transactions, starts, details, strict=True)
    )
    number = next(field.value for field in block if field.tag == "28C")
    return Statement(
        account=parsed.data["account_identification"],
        identifier=f"{block[0].value}-{number}",
        currency=opening.currency,
        opening_date=opening.date,
        opening=opening.amount,
        closing_date=closing.date,
        closing=closing.amount,
        lines=lines,
        source_line=first,
    )


def _parsed(block: list[_Field]) -> mt940.models.Transactions:
    """The fields as the library reads them: from text in memory, since its front door would open files by name."""
    parsed = mt940.models.Transactions(options=mt940.Options.all())
    try:
        parsed.parse("\n".join(f":{field.tag}:{field.value}" for field in block))
    except (RuntimeError, ValueError, ArithmeticError) as error:
        reason = f"the grammar of MT940 does not accept it: {str(error)[:120]}"
        raise StatementRefused(reason, block[0].line) from None
    return parsed


def _details(block: list[_Field]) -> list[str]:
    """The text of field 86 behind each field 61, "" where there is none."""
    following = pairwise([*block, _Field("", "", 0)])
    return [after.value if after.tag == "86" else "" for field, after in following if field.tag == "61"]


class _Balance(NamedTuple):
    amount: Sen
    currency: str
    date: date


def _balance(data: dict[str, Any], which: str, line: int) -> _Balance:
    found = data.get(f"final_{which}_balance") or data[f"intermediate_{which}_balance"]
    return _Balance(_sen(found.amount.amount, line), found.amount.currency, found.date)


def _sen(amount: Decimal, line: int) -> Sen:
    scaled = amount * 100
    if scaled != scaled.to_integral_value():
        raise StatementRefused(f"{amount} has more than two decimals", line)
    return Sen(int(scaled))


def _line(data: dict[str, Any], currency: str, details: str, dialect: Dialect, line: int) -> Line:
    return Line(
        value_date=data["date"],
        booking_date=data.get("entry_date") or data["date"],
        amount=_sen(data["amount"].amount, line),
        currency=currency,
        reference=given(data.get("customer_reference")),
        end_to_end=given(dialect.reference(details)),
        text=" ".join(details.split()),
        bank_reference=(data.get("bank_reference") or "").strip(),
        source_line=line,
    )
