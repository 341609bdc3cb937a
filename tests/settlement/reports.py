"""A bank's status reports (pain.002.001.10), as an independent writer would make them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"


def said(tag: str, code: str, reason: str = "") -> str:
    """A status, with its reason."""
    why = (
        f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn><AddtlInf>says the bank</AddtlInf></StsRsnInf>"
        if reason
        else ""
    )
    return f"<{tag}>{code}</{tag}>{why}" if code else ""


def report(
    message: str,
    payments: Mapping[str, tuple[str, str]] | None = None,
    *,
    group: str = "",
    blocks: Mapping[str, str] | None = None,
) -> bytes:
    """A report on a message: of payments by reference (code, reason), of blocks by id, of the whole group."""
    told = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId>{said('TxSts', code, reason)}</TxInfAndSts>"
        for reference, (code, reason) in (payments or {}).items()
    )
    block = (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{message}-01</OrgnlPmtInfId>{told}</OrgnlPmtInfAndSts>"
        if told
        else ""
    )
    block += "".join(
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{name}</OrgnlPmtInfId>{said('PmtInfSts', code)}</OrgnlPmtInfAndSts>"
        for name, code in (blocks or {}).items()
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}"><CstmrPmtStsRpt>\n'
        f"<GrpHdr><MsgId>R1</MsgId><CreDtTm>2026-11-19T01:00:00+07:00</CreDtTm></GrpHdr>\n"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>"
        f"{said('GrpSts', group)}</OrgnlGrpInfAndSts>\n{block}\n</CstmrPmtStsRpt></Document>"
    ).encode()
