"""What an element of a camt message says: texts, amounts and days, and the lines of an entry.

An entry is one line, or as many as it has transactions where their amounts add up to the entry's (a batch booking told in full).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from keys.clock import CITY
from keys.errors import MoneyError
from keys.money import Sen, parse
from keys.quoting import quoted
from settlement.errors import StatementRefused
from settlement.statements.model import Line, given

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

_SIGNS: Final = {"CRDT": 1, "DBIT": -1}


def line_of(element: etree._Element) -> int:
    """The line of the file that an element begins on; 0 where the parser tells none."""
    return int(getattr(element, "sourceline", None) or 0)  # the stubs know no number


@cache
def _steps(namespace: str, path: str) -> tuple[str, ...]:
    return tuple(f"{{{namespace}}}{tag}" for tag in path.split("/"))


def _found(element: etree._Element, path: str) -> etree._Element | None:
    """The first element at a path of local names in the element's own namespace; quicker than a search by pattern."""
    here = element
    for step in _steps(str(element.tag)[1:].split("}", 1)[0], path):
        below = next(here.iterchildren(step), None)
        if below is None:
            return None
        here = below
    return here


def text_at(element: etree._Element, path: str) -> str:
    """The text at a path of local names, "" where there is none."""
    found = _found(element, path)
    return (found.text or "").strip() if found is not None else ""


def amount_of(element: etree._Element) -> tuple[Sen, str]:
    """The signed amount of a balance, entry or transaction, and its currency."""
    amount = _found(element, "Amt")
    if amount is None:
        raise StatementRefused("an amount is missing", line_of(element))
    sign = _SIGNS.get(text_at(element, "CdtDbtInd"))
    if sign is None:
        raise StatementRefused("neither credit nor debit is said", line_of(element))
    return Sen(sign * _unsigned(amount)), amount.get("Ccy", "")


def _unsigned(amount: etree._Element) -> Sen:
    try:
        value = parse((amount.text or "").strip())
    except MoneyError as error:
        raise StatementRefused(str(error), line_of(amount)) from None
    if value < 0:
        raise StatementRefused("an amount has a sign of its own", line_of(amount))
    return value


def day_at(element: etree._Element, tag: str) -> date:
    """The day below a tag: a date, or the city's day of a moment; raises StatementRefused."""
    text, moment = text_at(element, f"{tag}/Dt"), text_at(element, f"{tag}/DtTm")
    try:
        return _day(text[:10]) if text else _day_of_moment(moment)
    except (
        ValueError,
        OverflowError,
    ):  # the latter: a moment at the calendar's end, and the city's day beyond it
        raise StatementRefused(f"{quoted(text or moment)} is no date in {tag}", line_of(element)) from None


@lru_cache(4_096)
def _day(text: str) -> date:
    return date.fromisoformat(text)


@lru_cache(4_096)
def _day_of_moment(text: str) -> date:
    """Banks write moments with any offset, UTC among them: half past five there is another day here. One without an offset is the city's."""
    at = datetime.fromisoformat(text)
    return (at.astimezone(CITY) if at.tzinfo else at).date()


def lines_of(entry: etree._Element) -> Iterator[Line]:
    """The lines of a booked entry; pending and informational ones move nothing."""
    status = text_at(entry, "Sts/Cd") or text_at(entry, "Sts")
    if status != "BOOK":
        if not status:
            raise StatementRefused("an entry without status", line_of(entry))
        return
    whole, currency = amount_of(entry)
    transactions = list(entry.iterfind("{*}NtryDtls/{*}TxDtls"))
    parts = [_part(transaction, whole) for transaction in transactions]
    if len(parts) > 1 and sum(part for part in parts if part is not None) == whole and None not in parts:
        for transaction, part in zip(transactions, parts, strict=True):
            yield _line(entry, transaction, Sen(part or 0), currency)
    else:
        yield _line(entry, transactions[0] if len(transactions) == 1 else None, whole, currency)


def _part(transaction: etree._Element, whole: Sen) -> Sen | None:
    """The signed amount of a transaction within an entry; None where the bank tells none."""
    amount = _found(transaction, "Amt")
    if amount is None:
        amount = _found(transaction, "AmtDtls/TxAmt/Amt")  # version 2
    if amount is None:
        return None
    sign = _SIGNS.get(text_at(transaction, "CdtDbtInd"), 1 if whole >= 0 else -1)
    return Sen(sign * _unsigned(amount))


def _line(entry: etree._Element, details: etree._Element | None, amount: Sen, currency: str) -> Line:
    booked = day_at(entry, "BookgDt") if _found(entry, "BookgDt") is not None else day_at(entry, "ValDt")
    told = details if details is not None else entry
    texts = [(part.text or "").strip() for part in told.iterfind("{*}RmtInf/{*}Ustrd")]
    return Line(
        value_date=day_at(entry, "ValDt") if _found(entry, "ValDt") is not None else booked,
        booking_date=booked,
        amount=amount,
        currency=currency,
        reference=given(text_at(told, "Refs/InstrId") or text_at(entry, "NtryRef")),
        end_to_end=given(text_at(told, "Refs/EndToEndId")),
        text=" ".join(texts) or text_at(entry, "AddtlNtryInf"),
        bank_reference=text_at(told, "Refs/AcctSvcrRef") or text_at(entry, "AcctSvcrRef"),
        source_line=line_of(told),
    )
