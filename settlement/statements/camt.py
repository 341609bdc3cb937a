"""camt.053 (BankToCustomerStatement) of versions 2, 4 and 8, and camt.054 (notification), as they stream by (ISO 20022).

The parser resolves no entity, loads no network resource and grows no huge tree; a document type declaration is refused.
Entries are read one at a time and let go of, so that room does not grow with the markup. Where the message's schema is at
hand the document is held against it. An entry is one line, or as many as it has transactions where their amounts add up to
the entry's (a batch booking told in full).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from keys.errors import MoneyError
from keys.money import Sen, parse
from keys.quoting import QUOTED_MAX, cut, quoted
from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements.model import LINES_MAX, Line, Notice, Reading, Remarks, Statement, given
from settlement.statements.schemas import PREFIX, Schemas, plain_words

if TYPE_CHECKING:
    from collections.abc import Iterator

STATEMENTS: Final = frozenset(f"camt.053.001.{version}" for version in ("02", "04", "08"))
_NOTICE: Final = re.compile(r"camt\.054\.001\.(02|04|08)")
_PARTS: Final = ("{*}Ntry", "{*}Bal", "{*}Stmt", "{*}Ntfctn")
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_WHOLE_BYTES_MAX: Final = 32 * 1024 * 1024
_SEQUENCE: Final = re.compile(r"\d{1,9}")


def read(content: bytes, schemas: Schemas | None = None) -> Reading:
    """What a camt file says; raises StatementRefused with the line."""
    message = _message(content)
    remarks = Remarks()
    schema = (schemas or Schemas()).find(message)
    if schema is None:
        remarks.add(0, f"not held against its schema: {message}.xsd is not at hand")
    gathered = _Gathered(remarks)
    try:
        for _, element in etree.iterparse(
            BytesIO(content), events=("end",), tag=_PARTS, schema=schema, **_SAFE
        ):
            gathered.take(element)
    except etree.XMLSyntaxError as error:
        raise _refused(error, content, schema) from None
    return Reading(message, tuple(gathered.statements), tuple(gathered.notices), remarks.all())


_SAFE: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "huge_tree": False,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
}


def _refused(
    error: etree.XMLSyntaxError, content: bytes = b"", schema: etree.XMLSchema | None = None
) -> StatementRefused:
    words = plain_words(error.msg or "")
    if "Element '" not in words:
        return StatementRefused(f"no well-formed XML: {words}", error.lineno or 0)
    line = error.lineno or (_line_found(content, schema) if schema is not None else 0)
    return StatementRefused(f"not valid against the schema: {words}", line)


def _line_found(content: bytes, schema: etree.XMLSchema) -> int:
    """The line of what a schema refuses, which a stream does not tell: of a whole, well-formed document that is not too big for one."""
    if len(content) > _WHOLE_BYTES_MAX:
        return 0
    try:
        schema.validate(etree.fromstring(content, etree.XMLParser(**_SAFE)))
    except etree.XMLSyntaxError:  # the schema refused a place before the one where it ends being XML
        return 0
    log: Any = schema.error_log  # the stubs do not know that it is a sequence
    return next((int(entry.line) for entry in log), 0)


def _message(content: bytes) -> str:
    """The message's name, from the root element; raises StatementRefused where it is none of ours."""
    try:
        for _, root in etree.iterparse(BytesIO(content), events=("start",), **_SAFE):
            tree: Any = root.getroottree()  # the stubs know no docinfo
            if tree.docinfo.doctype:
                raise StatementRefused("a document type declaration has no place in a statement", 1)
            name = etree.QName(root)
            message = (name.namespace or "").removeprefix(PREFIX)
            if name.localname == "Document" and (message in STATEMENTS or _NOTICE.fullmatch(message)):
                return message
            raise StatementRefused(
                f"{cut(name.namespace or name.localname)} is no camt.053 of version 2, 4 or 8, nor a camt.054",
                _line_of(root),
            )
    except etree.XMLSyntaxError as error:
        raise _refused(error) from None
    except ValueError:  # a name that no element may have, which the parser let through
        raise StatementRefused("no well-formed XML: the root element has no name", 1) from None
    raise StatementRefused("no well-formed XML: there is no element")


def _line_of(element: etree._Element) -> int:
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


def _text(element: etree._Element, path: str) -> str:
    """The text at a path of local names, "" where there is none."""
    found = _found(element, path)
    return (found.text or "").strip() if found is not None else ""


@dataclass(frozen=True, slots=True)
class _Balance:
    code: str
    amount: Sen
    currency: str
    day: date


@dataclass(slots=True)
class _Gathered:
    """What has streamed by: finished statements and notices, and the parts of the one that is under way."""

    remarks: Remarks
    statements: list[Statement] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    balances: list[_Balance] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    pending: int = 0

    def take(self, element: etree._Element) -> None:
        """Take an element that has ended, and let go of its markup."""
        tag = etree.QName(element).localname
        if tag == "Ntry":
            self._entry(element)
        elif tag == "Bal":
            self._balance(element)
        else:
            self._finish(element, tag)
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)

    def _entry(self, element: etree._Element) -> None:
        before = len(self.lines)
        self.lines += _lines(element)
        self.pending += len(self.lines) == before
        if len(self.lines) > LINES_MAX:
            raise StatementTooLarge(f"over {LINES_MAX} lines in one statement", _line_of(element))

    def _balance(self, element: etree._Element) -> None:
        code = _text(element, "Tp/CdOrPrtry/Cd")
        if code in _OPENING or code in _CLOSING:
            amount, currency = _amount(element)
            self.balances.append(_Balance(code, amount, currency, _date(element, "Dt")))

    def _finish(self, element: etree._Element, tag: str) -> None:
        account = _text(element, "Acct/Id/Othr/Id") or _text(element, "Acct/Id/IBAN")
        if not account:
            raise StatementRefused("the statement names no account", _line_of(element))
        if self.pending:
            self.remarks.add(
                _line_of(element), f"{self.pending} entries are not booked yet, and move nothing"
            )
        if tag == "Ntfctn":
            self.notices.append(Notice(account, _text(element, "Id"), tuple(self.lines)))
        else:
            self.statements.append(self._statement(element, account))
        self.balances, self.lines, self.pending = [], [], 0

    def _statement(self, element: etree._Element, account: str) -> Statement:
        opening, closing = self._one(element, _OPENING), self._one(element, _CLOSING)
        if closing.currency != opening.currency:
            raise StatementRefused(
                f"the closing balance is in {cut(closing.currency, QUOTED_MAX)}, the opening balance in {cut(opening.currency, QUOTED_MAX)}",
                _line_of(element),
            )
        number = _text(element, "LglSeqNb") or _text(element, "ElctrncSeqNb")
        return Statement(
            account=account,
            identifier=_text(element, "Id"),
            currency=opening.currency,
            opening_date=opening.day,
            opening=opening.amount,
            closing_date=closing.day,
            closing=closing.amount,
            lines=tuple(self.lines),
            source_line=_line_of(element),
            number=int(number) or None if _SEQUENCE.fullmatch(number) else None,
        )

    def _one(self, element: etree._Element, codes: tuple[str, ...]) -> _Balance:
        found = [balance for balance in self.balances if balance.code in codes]
        if len(found) != 1:
            raise StatementRefused(
                f"{len(found)} balances of type {' or '.join(codes)}: one is needed", _line_of(element)
            )
        return found[0]


def _amount(element: etree._Element) -> tuple[Sen, str]:
    """The signed amount of a balance, entry or transaction, and its currency."""
    amount = _found(element, "Amt")
    if amount is None:
        raise StatementRefused("an amount is missing", _line_of(element))
    sign = _SIGNS.get(_text(element, "CdtDbtInd"))
    if sign is None:
        raise StatementRefused("neither credit nor debit is said", _line_of(element))
    return Sen(sign * _unsigned(amount)), amount.get("Ccy", "")


def _unsigned(amount: etree._Element) -> Sen:
    try:
        value = parse((amount.text or "").strip())
    except MoneyError as error:
        raise StatementRefused(str(error), _line_of(amount)) from None
    if value < 0:
        raise StatementRefused("an amount has a sign of its own", _line_of(amount))
    return value


def _date(element: etree._Element, tag: str) -> date:
    text = _text(element, f"{tag}/Dt") or _text(element, f"{tag}/DtTm")
    try:
        return _day(text[:10])
    except ValueError:
        raise StatementRefused(f"{quoted(text)} is no date in {tag}", _line_of(element)) from None


@lru_cache(4_096)
def _day(text: str) -> date:
    return date.fromisoformat(text)


def _lines(entry: etree._Element) -> Iterator[Line]:
    """The lines of a booked entry; pending and informational ones move nothing."""
    status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
    if status != "BOOK":
        if not status:
            raise StatementRefused("an entry without status", _line_of(entry))
        return
    whole, currency = _amount(entry)
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
    sign = _SIGNS.get(_text(transaction, "CdtDbtInd"), 1 if whole >= 0 else -1)
    return Sen(sign * _unsigned(amount))


def _line(entry: etree._Element, details: etree._Element | None, amount: Sen, currency: str) -> Line:
    booked = _date(entry, "BookgDt") if _found(entry, "BookgDt") is not None else _date(entry, "ValDt")
    told = details if details is not None else entry
    texts = [(part.text or "").strip() for part in told.iterfind("{*}RmtInf/{*}Ustrd")]
    return Line(
        value_date=_date(entry, "ValDt") if _found(entry, "ValDt") is not None else booked,
        booking_date=booked,
        amount=amount,
        currency=currency,
        reference=given(_text(told, "Refs/InstrId") or _text(entry, "NtryRef")),
        end_to_end=given(_text(told, "Refs/EndToEndId")),
        text=" ".join(texts) or _text(entry, "AddtlNtryInf"),
        bank_reference=_text(told, "Refs/AcctSvcrRef") or _text(entry, "AcctSvcrRef"),
        source_line=_line_of(told),
    )
