"""Bank statements as partner banks write them: camt.053 (ISO 20022) and MT940 (SWIFT). The demo's banks, not ours.

Sources: camt.053.001.02 and camt.053.001.08 message definitions; SWIFT MT940 fields 20, 25, 28C, 60F, 61, 86, 62F. The end-to-end
reference stands in field 86 behind /EREF/, since field 61 has room for 16 characters only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from lxml import etree

from keys.clock import CITY
from keys.money import Sen, plain

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of an account: sen, positive where the account grows."""

    amount: Sen
    reference: str
    text: str
    bank_reference: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a bank on a day: balance before, and what moved."""

    bank: str
    number: str
    day: date
    sequence: int
    opening: Sen
    movements: Sequence[Movement]

    @property
    def closing(self) -> Sen:
        """Balance after the day's movements."""
        return Sen(self.opening + sum(movement.amount for movement in self.movements))


def camt053(account: Account, version: str) -> bytes:
    """The account's day as a camt.053.001.`version` document ("02", "04" or "08"), UTF-8."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    # lxml reads None as the default namespace; its stubs know text keys only.
    document = etree.Element(f"{{{namespace}}}Document", nsmap={None: namespace})  # type: ignore[dict-item]
    message = _add(document, "BkToCstmrStmt")
    written = datetime.combine(account.day, time(23, 55), CITY).isoformat()
    _fill(
        _add(message, "GrpHdr"),
        MsgId=f"{account.bank}{account.day:%Y%m%d}{account.sequence:04d}",
        CreDtTm=written,
    )
    statement = _add(message, "Stmt")
    _fill(
        statement,
        Id=f"{account.number}-{account.sequence}",
        ElctrncSeqNb=str(account.sequence),
        CreDtTm=written,
    )
    held = _add(statement, "Acct")
    _fill(_add(_add(held, "Id"), "Othr"), Id=account.number)
    _fill(held, Ccy="IDR")
    for code, amount in (("OPBD", account.opening), ("CLBD", account.closing)):
        _balance(statement, code, amount, account.day)
    for movement in account.movements:
        _entry(statement, movement, account.day, version)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _add(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{tag}", attributes)
    child.text = text
    return child


def _fill(parent: etree._Element, **texts: str) -> None:
    for tag, text in texts.items():
        _add(parent, tag, text)


def _amount(parent: etree._Element, amount: Sen) -> None:
    _add(parent, "Amt", plain(Sen(abs(amount))), Ccy="IDR")
    _add(parent, "CdtDbtInd", "CRDT" if amount >= 0 else "DBIT")


def _balance(statement: etree._Element, code: str, amount: Sen, day: date) -> None:
    balance = _add(statement, "Bal")
    _fill(_add(_add(balance, "Tp"), "CdOrPrtry"), Cd=code)
    _amount(balance, amount)
    _fill(_add(balance, "Dt"), Dt=day.isoformat())


def _entry(statement: etree._Element, movement: Movement, day: date, version: str) -> None:
    entry = _add(statement, "Ntry")
    _amount(entry, movement.amount)
    if version in {"02", "04"}:
        _fill(entry, Sts="BOOK")
    else:
        _fill(_add(entry, "Sts"), Cd="BOOK")
    _fill(_add(entry, "BookgDt"), Dt=day.isoformat())
    _fill(_add(entry, "ValDt"), Dt=day.isoformat())
    _fill(entry, AcctSvcrRef=movement.bank_reference)
    _fill(_add(_add(entry, "BkTxCd"), "Prtry"), Cd="NTRF")
    details = _add(_add(entry, "NtryDtls"), "TxDtls")
    _fill(_add(details, "Refs"), EndToEndId=movement.reference or "NOTPROVIDED")
    if version != "02":
        _amount(details, movement.amount)
    _fill(_add(details, "RmtInf"), Ustrd=movement.text)


def mt940(account: Account) -> bytes:
    """The account's day as an MT940 message, ASCII, lines ended by CR LF."""
    day = f"{account.day:%y%m%d}"
    lines = [
        f":20:{account.bank}{day}{account.sequence:04d}",
        f":25:{account.number}",
        f":28C:{account.sequence:05d}/001",
        f":60F:{_balance_text(account.opening, day)}",
    ]
    for movement in account.movements:
        sign = "C" if movement.amount >= 0 else "D"
        amount = _comma(movement.amount)
        lines += [
            f":61:{day}{account.day:%m%d}{sign}{amount}NTRFNONREF//{movement.bank_reference}",
            f":86:/EREF/{movement.reference or 'NOTPROVIDED'}/REMI/{movement.text}",
        ]
    lines += [f":62F:{_balance_text(account.closing, day)}", "-"]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _balance_text(amount: Sen, day: str) -> str:
    return f"{'C' if amount >= 0 else 'D'}{day}IDR{_comma(amount)}"


def _comma(amount: Sen) -> str:
    return plain(Sen(abs(amount))).replace(".", ",")
