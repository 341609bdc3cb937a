"""camt.053 (BankToCustomerStatement) of versions 2, 4 and 8, and camt.054 (notification), as they stream by (ISO 20022).

The parser resolves no entity, loads no network resource and grows no huge tree; a document type declaration is refused.
Entries are read one at a time and let go of, so that room does not grow with the markup. Where the message's schema is at
hand the document is held against it. `camt_entries` says what an entry is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from keys.quoting import QUOTED_MAX, cut
from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements.camt_entries import amount_of, day_at, line_of, lines_of, text_at
from settlement.statements.model import LINES_MAX, Line, Notice, Reading, Remarks, Statement
from settlement.statements.schemas import PREFIX, Schemas, plain_words

if TYPE_CHECKING:
    from datetime import date

    from keys.money import Sen

STATEMENTS: Final = frozenset(f"camt.053.001.{version}" for version in ("02", "04", "08"))
_NOTICE: Final = re.compile(r"camt\.054\.001\.(02|04|08)")
_PARTS: Final = ("{*}Ntry", "{*}Bal", "{*}Stmt", "{*}Ntfctn")
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)
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
                line_of(root),
            )
    except etree.XMLSyntaxError as error:
        raise _refused(error) from None
    except ValueError:  # a name that no element may have, which the parser let through
        raise StatementRefused("no well-formed XML: the root element has no name", 1) from None
    raise StatementRefused("no well-formed XML: there is no element")


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
        self.lines += lines_of(element)
        self.pending += len(self.lines) == before
        if len(self.lines) > LINES_MAX:
            raise StatementTooLarge(f"over {LINES_MAX} lines in one statement", line_of(element))

    def _balance(self, element: etree._Element) -> None:
        code = text_at(element, "Tp/CdOrPrtry/Cd")
        if code in _OPENING or code in _CLOSING:
            amount, currency = amount_of(element)
            self.balances.append(_Balance(code, amount, currency, day_at(element, "Dt")))

    def _finish(self, element: etree._Element, tag: str) -> None:
        account = text_at(element, "Acct/Id/Othr/Id") or text_at(element, "Acct/Id/IBAN")
        if not account:
            raise StatementRefused("the statement names no account", line_of(element))
        if self.pending:
            self.remarks.add(line_of(element), f"{self.pending} entries are not booked yet, and move nothing")
        if tag == "Ntfctn":
            self.notices.append(Notice(account, text_at(element, "Id"), tuple(self.lines)))
        else:
            self.statements.append(self._statement(element, account))
        self.balances, self.lines, self.pending = [], [], 0

    def _statement(self, element: etree._Element, account: str) -> Statement:
        opening, closing = self._one(element, _OPENING), self._one(element, _CLOSING)
        if closing.currency != opening.currency:
            raise StatementRefused(
                f"the closing balance is in {cut(closing.currency, QUOTED_MAX)}, the opening balance in {cut(opening.currency, QUOTED_MAX)}",
                line_of(element),
            )
        number = text_at(element, "LglSeqNb") or text_at(element, "ElctrncSeqNb")
        return Statement(
            account=account,
            identifier=text_at(element, "Id"),
            currency=opening.currency,
            opening_date=opening.day,
            opening=opening.amount,
            closing_date=closing.day,
            closing=closing.amount,
            lines=tuple(self.lines),
            source_line=line_of(element),
            number=int(number) or None if _SEQUENCE.fullmatch(number) else None,
        )

    def _one(self, element: etree._Element, codes: tuple[str, ...]) -> _Balance:
        found = [balance for balance in self.balances if balance.code in codes]
        if len(found) != 1:
            raise StatementRefused(
                f"{len(found)} balances of type {' or '.join(codes)}: one is needed", line_of(element)
            )
        return found[0]
