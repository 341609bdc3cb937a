"""pain.002 (ISO 20022, CustomerPaymentStatusReport), versions 3 to 14: what a bank says became of a payment file.

A status stands at the payment, at its block, or at the whole message; the nearest to the payment holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from keys.clock import Day, day_of
from keys.quoting import cut, quoted
from settlement.errors import ReportRefused
from settlement.payments.model import Outcome, Status
from settlement.statements.schemas import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from settlement.statements.schemas import Schemas

REPORT_BYTES_MAX: Final = 64 * 1024 * 1024
_MESSAGE: Final = re.compile(r"pain\.002\.001\.(0[3-9]|1[0-4])")
_SAYS_SO: Final = b"pain.002.001."
_PEEK: Final = 4_096
_OURS: Final = re.compile(r"KSH-(\d{4})(\d{2})(\d{2})-(\d{4})")
_STATUSES: Final = {
    "RCVD": Status.PENDING,
    "PDNG": Status.PENDING,
    "ACTC": Status.ACCEPTED,
    "ACCP": Status.ACCEPTED,
    "ACWC": Status.ACCEPTED,
    "ACSP": Status.ACCEPTED,
    "ACSC": Status.DONE,
    "ACCC": Status.DONE,
    "RJCT": Status.REJECTED,
    "CANC": Status.REJECTED,
}
_PARTLY: Final = "PART"
"""Some payments were taken, some not: the payments say which."""


@dataclass(frozen=True, slots=True)
class Said:
    """A status with its reason; `line` is where it stands."""

    code: str
    reason: str
    line: int

    @property
    def status(self) -> Status:
        """What it means; raises ReportRefused for a code that is none of ISO's."""
        if self.code not in _STATUSES:
            raise ReportRefused(f"{quoted(self.code)} is no status of a payment", self.line)
        return _STATUSES[self.code]


@dataclass(frozen=True, slots=True)
class Told:
    """A report: our message, what is said of all of it, of blocks by their id, and of single payments by our reference."""

    message: str
    whole: Said | None
    blocks: dict[str, Said]
    payments: dict[str, Said]


def is_report(path: Path) -> bool:
    """Whether a file says that it is a status report, by its first bytes."""
    with path.open("rb") as file:
        return _SAYS_SO in file.read(_PEEK)


def schema_says(content: bytes, schemas: Schemas) -> str:
    """What the schema of its message says against a document, "" where nothing, or where there is no schema, or no XML."""
    if not content.startswith(b"<"):
        return ""
    try:
        document = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError:
        return ""
    return schemas.check(document, _message(document))


def _message(root: etree._Element) -> str:
    """The message that a root element says it is; "" where it says none."""
    try:
        return (etree.QName(root).namespace or "").removeprefix(PREFIX)
    except ValueError:  # a name that no element may have, which the parser let through
        return ""


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )


def read(content: bytes, schemas: Schemas | None = None) -> Told:
    """What a report says; raises ReportRefused with the line."""
    if len(content) > REPORT_BYTES_MAX:
        raise ReportRefused(f"the report has {len(content)} bytes: {REPORT_BYTES_MAX} are allowed")
    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError as error:
        raise ReportRefused(f"no well-formed XML: {cut(error.msg)}", error.lineno or 0) from None
    tree: Any = root.getroottree()  # the stubs know no docinfo
    if tree.docinfo.doctype:
        raise ReportRefused("a document type declaration has no place in a report", 1)
    name = _message(root)
    report = root.find("{*}CstmrPmtStsRpt")
    if not _MESSAGE.fullmatch(name) or report is None:
        raise ReportRefused(f"{cut(name or root.tag)} is no pain.002", _line_of(root))
    if schemas is not None and (wrong := schemas.check(root, name)):
        raise ReportRefused(f"not valid against its schema: {wrong}")
    return _told(report)


def _told(report: etree._Element) -> Told:
    group = report.find("{*}OrgnlGrpInfAndSts")
    if group is None:
        raise ReportRefused("the report names no message of ours", _line_of(report))
    blocks: dict[str, Said] = {}
    payments: dict[str, Said] = {}
    for block in report.iterfind("{*}OrgnlPmtInfAndSts"):
        of_block = _said(block, "PmtInfSts")
        if of_block is not None:
            blocks[_text(block, "OrgnlPmtInfId")] = of_block
        for reference, said in _transactions(block):
            if reference in payments:
                raise ReportRefused(f"payment {quoted(reference)} has two statuses in one report", said.line)
            payments[reference] = said
    return Told(_text(group, "OrgnlMsgId"), _said(group, "GrpSts"), blocks, payments)


def _transactions(block: etree._Element) -> Iterator[tuple[str, Said]]:
    for one in block.iterfind("{*}TxInfAndSts"):
        reference = _text(one, "OrgnlEndToEndId") or _text(one, "OrgnlInstrId")
        said = _said(one, "TxSts")
        if not reference or said is None:
            raise ReportRefused("a payment without reference or status", _line_of(one))
        yield reference, said


def _said(element: etree._Element, tag: str) -> Said | None:
    code = _text(element, tag)
    if not code:
        return None
    reasons = [
        " ".join(
            part
            for part in (_text(info, "Rsn/Cd") or _text(info, "Rsn/Prtry"), _text(info, "AddtlInf"))
            if part
        )
        for info in element.iterfind("{*}StsRsnInf")
    ]
    return Said(code, "; ".join(reason for reason in reasons if reason)[:500], _line_of(element))


def window_of(told: Told) -> tuple[Day, int]:
    """The window and the bank that our message's id names; raises ReportRefused for a message that is none of ours."""
    found = _OURS.fullmatch(told.message)
    year, month, day, bank = (int(part) for part in found.groups()) if found is not None else (0, 0, 0, 0)
    try:
        return day_of(date(year, month, day)), bank
    except ValueError:
        raise ReportRefused(f"message {quoted(told.message)} is none of ours") from None


def outcomes(told: Told, block_of: Mapping[str, str], sha256: str) -> list[Outcome]:
    """What became of our payments: of those that the report says something about.

    `block_of` tells the block of each payment of the message, "" where its file has none. Raises ReportRefused for a payment
    or block that is none of the message's, and for a code that is none.
    """
    for said_of, ours in ((told.payments, set(block_of)), (told.blocks, set(block_of.values()))):
        strange = next((name for name in said_of if name not in ours), None)
        if strange is not None:
            raise ReportRefused(
                f"{quoted(strange)} is no part of message {quoted(told.message)}", said_of[strange].line
            )
    found = []
    for reference, block in block_of.items():
        levels = (told.payments.get(reference), told.blocks.get(block), told.whole)
        said = next((one for one in levels if one is not None and one.code != _PARTLY), None)
        if said is not None:
            found.append(Outcome(reference, said.status, said.reason or said.code, sha256))
    return found


def _line_of(element: etree._Element) -> int:
    return int(getattr(element, "sourceline", None) or 0)  # the stubs know no number


def _text(element: etree._Element, path: str) -> str:
    found = element.find("/".join(f"{{*}}{tag}" for tag in path.split("/")))
    return (found.text or "").strip() if found is not None else ""
