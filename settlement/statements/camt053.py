"""camt.053 (ISO 20022, BankToCustomerStatement), versions 2, 4 and 8.

The XML parser resolves no entity, loads no network resource and grows no huge tree; a document type declaration is refused.
An entry is one line, or as many as it has transactions where their amounts add up to the entry's (a batch booking told in full).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from lxml import etree

from keys.errors import MoneyError
from keys.money import Sen, parse
from settlement.errors import StatementRefused
from settlement.statements.model import Line, Statement, given

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES = tuple(f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}" for version in ("02", "04", "08"))
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)


def read(content: bytes) -> list[Statement]:
    """The statements of a camt.053 file; raises StatementRefused with the line."""
    root = _root(content)
    name = etree.QName(root)
    if name.localname != "Document" or name.namespace not in NAMESPACES:
        raise StatementRefused(
            f"{name.namespace or name.localname} is no camt.053 of version 2, 4 or 8", _line_of(root)
        )
    return [_statement(element) for element in root.iterfind("{*}BkToCstmrStmt/{*}Stmt")]


def _root(content: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise StatementRefused(f"no well-formed XML: {error.msg}", error.lineno or 0) from None
    tree: Any = root.getroottree()  # the stubs know no docinfo
    if tree.docinfo.doctype:
        raise StatementRefused("a document type declaration has no place in a statement", 1)
    return root


def _line_of(element: etree._Element) -> int:
    return int(getattr(element, "sourceline", None) or 0)  # the stubs know no number


def _text(element: etree._Element, path: str) -> str:
    """The text at a path of local names, "" where there is none."""
    found = element.find("/".join(f"{{*}}{tag}" for tag in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _statement(element: etree._Element) -> Statement:
    opening, opening_date, currency = _balance(element, _OPENING)
    closing, closing_date, closing_currency = _balance(element, _CLOSING)
    if closing_currency != currency:
        raise StatementRefused(
            f"the closing balance is in {closing_currency}, the opening balance in {currency}",
            _line_of(element),
        )
    account = _text(element, "Acct/Id/Othr/Id") or _text(element, "Acct/Id/IBAN")
    if not account:
        raise StatementRefused("the statement names no account", _line_of(element))
    return Statement(
        account=account,
        identifier=_text(element, "Id"),
        currency=currency,
        opening_date=opening_date,
        opening=opening,
        closing_date=closing_date,
        closing=closing,
        lines=tuple(line for entry in element.iterfind("{*}Ntry") for line in _lines(entry)),
        source_line=_line_of(element),
    )


def _balance(statement: etree._Element, codes: tuple[str, ...]) -> tuple[Sen, date, str]:
    found = [bal for bal in statement.iterfind("{*}Bal") if _text(bal, "Tp/CdOrPrtry/Cd") in codes]
    if len(found) != 1:
        raise StatementRefused(
            f"{len(found)} balances of type {' or '.join(codes)}: one is needed", _line_of(statement)
        )
    amount, currency = _amount(found[0])
    return amount, _date(found[0], "Dt"), currency


def _amount(element: etree._Element) -> tuple[Sen, str]:
    """The signed amount of a balance, entry or transaction, and its currency."""
    amount = element.find("{*}Amt")
    if amount is None:
        raise StatementRefused("an amount is missing", _line_of(element))
    sign = {"CRDT": 1, "DBIT": -1}.get(_text(element, "CdtDbtInd"))
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
        return date.fromisoformat(text[:10])
    except ValueError:
        raise StatementRefused(f"{text[:20]!r} is no date in {tag}", _line_of(element)) from None


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
    amount = transaction.find("{*}Amt")
    if amount is None:
        amount = transaction.find("{*}AmtDtls/{*}TxAmt/{*}Amt")  # version 2
    if amount is None:
        return None
    sign = {"CRDT": 1, "DBIT": -1}.get(_text(transaction, "CdtDbtInd"), 1 if whole >= 0 else -1)
    return Sen(sign * _unsigned(amount))


def _line(entry: etree._Element, details: etree._Element | None, amount: Sen, currency: str) -> Line:
    booked = _date(entry, "BookgDt") if entry.find("{*}BookgDt") is not None else _date(entry, "ValDt")
    told = details if details is not None else entry
    texts = [(part.text or "").strip() for part in told.iterfind("{*}RmtInf/{*}Ustrd")]
    return Line(
        value_date=_date(entry, "ValDt") if entry.find("{*}ValDt") is not None else booked,
        booking_date=booked,
        amount=amount,
        currency=currency,
        reference=given(_text(told, "Refs/InstrId") or _text(entry, "NtryRef")),
        end_to_end=given(_text(told, "Refs/EndToEndId")),
        text=" ".join(texts) or _text(entry, "AddtlNtryInf"),
        bank_reference=_text(told, "Refs/AcctSvcrRef") or _text(entry, "AcctSvcrRef"),
        source_line=_line_of(told),
    )
