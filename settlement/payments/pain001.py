"""Payment instructions for a paying bank: pain.001.001.09 (ISO 20022, CustomerCreditTransferInitiation).

The bytes are a function of window, bank, items and participants alone: no clock and no random number enters, so that writing a
window's file again gives the same file, and a bank that checks message ids never pays it twice.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from lxml import etree

from keys.clock import Day, UnixMs, date_of, local
from keys.money import Sen, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from settlement.items import Item
    from settlement.participants import Bank, Participants
    from settlement.payments.rails import Rail

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
INITIATOR = "Kartu Semarang Hebat"
CURRENCY = "IDR"


def message_id(window: Day, bank: int) -> str:
    """The id that names a payment file for ever."""
    return f"KSH-{date_of(window):%Y%m%d}-{bank:04d}"


def file_name(window: Day, bank: int) -> str:
    """The name of a payment file on disk."""
    return f"pain001-{date_of(window):%Y%m%d}-{bank:04d}.xml"


def remittance(item: Item, name: str) -> str:
    """What the payee reads on the statement: what was paid, for which window, to whom."""
    return f"{item.kind.value} {date_of(item.window):%Y-%m-%d} {name}"


def payment_file(
    window: Day, bank: Bank, items: Iterable[Item], participants: Participants, closed_at: UnixMs
) -> bytes:
    """The file that asks a bank to make its payments among `items`, UTF-8; b"" where there is none to make.

    One payment information block for each rail and day of execution, since both stand at that level.
    """
    payments = [item for item in items if item.bank == bank.code and item.rail is not None]
    if not payments:
        return b""
    message = _message(message_id(window, bank.code), payments, closed_at)
    payments.sort(key=lambda item: (_rail(item).name, item.due, item.reference))
    blocks = groupby(payments, key=lambda item: (_rail(item), item.due))
    for number, ((rail, due), block) in enumerate(blocks, start=1):
        _block(
            message,
            f"{message_id(window, bank.code)}-{number:02d}",
            bank,
            rail,
            due,
            list(block),
            participants,
        )
    return etree.tostring(message.getroottree(), xml_declaration=True, encoding="UTF-8", pretty_print=True)


def blocks_of(content: bytes) -> dict[str, str]:
    """The id of the payment information block of each payment in a file of ours, by its reference."""
    document = etree.fromstring(content)
    return {
        payment.findtext(".//{*}EndToEndId") or "": block.findtext("{*}PmtInfId") or ""
        for block in document.iterfind(".//{*}PmtInf")
        for payment in block.iterfind("{*}CdtTrfTxInf")
    }


def _message(name: str, payments: Sequence[Item], closed_at: UnixMs) -> etree._Element:
    """The message inside its document, with its group header."""
    # lxml reads None as the default namespace; its stubs know text keys only.
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    message = _add(document, "CstmrCdtTrfInitn")
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", name)
    _add(header, "CreDtTm", local(closed_at).isoformat(timespec="seconds"))
    _sums(header, payments)
    _add(_add(header, "InitgPty"), "Nm", INITIATOR)
    return message


def _rail(item: Item) -> Rail:
    assert item.rail is not None  # noqa: S101  only payments come here
    return item.rail


def _add(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}", attributes)
    child.text = text
    return child


def _sums(parent: etree._Element, payments: Sequence[Item]) -> None:
    _add(parent, "NbOfTxs", str(len(payments)))
    _add(parent, "CtrlSum", plain(Sen(-sum(item.amount for item in payments))))


def _block(
    message: etree._Element,
    block_id: str,
    bank: Bank,
    rail: Rail,
    due: Day,
    payments: Sequence[Item],
    participants: Participants,
) -> None:
    block = _add(message, "PmtInf")
    _add(block, "PmtInfId", block_id)
    _add(block, "PmtMtd", "TRF")
    _add(block, "BtchBookg", "false")  # one statement line a payment, so that each is matched
    _sums(block, payments)
    how = _add(block, "PmtTpInf")
    _add(_add(how, "SvcLvl"), "Prtry", rail.service_level)
    _add(_add(how, "LclInstrm"), "Prtry", rail.local_instrument)
    _add(_add(block, "ReqdExctnDt"), "Dt", date_of(due).isoformat())
    _add(_add(block, "Dbtr"), "Nm", INITIATOR)
    _account(block, "DbtrAcct", bank.account, CURRENCY)
    _agent(block, "DbtrAgt", bank.bic)
    for payment in payments:
        _payment(block, payment, participants)


def _payment(block: etree._Element, item: Item, participants: Participants) -> None:
    party = participants.party(item.code, item.party)
    payment = _add(block, "CdtTrfTxInf")
    identity = _add(payment, "PmtId")
    _add(identity, "InstrId", item.reference)
    _add(identity, "EndToEndId", item.told)
    _add(_add(payment, "Amt"), "InstdAmt", plain(Sen(-item.amount)), Ccy=CURRENCY)
    _agent(payment, "CdtrAgt", participants.bank(party.bank).bic)
    _add(_add(payment, "Cdtr"), "Nm", party.name)
    _account(payment, "CdtrAcct", party.account)
    _add(_add(payment, "RmtInf"), "Ustrd", remittance(item, party.name))


def _account(parent: etree._Element, tag: str, number: str, currency: str = "") -> None:
    account = _add(parent, tag)
    _add(_add(_add(account, "Id"), "Othr"), "Id", number)
    if currency:
        _add(account, "Ccy", currency)


def _agent(parent: etree._Element, tag: str, bic: str) -> None:
    _add(_add(_add(parent, tag), "FinInstnId"), "BICFI", bic)
