"""Writing codes: a merchant's static code for the wall, a dynamic one for a single bill."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from keys.money import Sen
from ledger.errors import QrReason, QrRefused
from ledger.qris import tlv
from ledger.qris.amounts import write_amount, write_percent
from ledger.qris.code import CHARACTERS_MAX, INDONESIA, RUPIAH, QrisCode
from ledger.qris.merchant import NATIONAL, Additional, Method, Tip, TipKind
from ledger.qris.tlv import DataObject

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_ACCOUNT: Final = 26
_LIMITS: Final = {"name": 25, "city": 15, "post_code": 10}


@dataclass(frozen=True, slots=True)
class Acquirer:
    """A merchant's account at an acquirer: reverse domain, merchant PAN (9360...), number there, class."""

    domain: str
    pan: str
    merchant: str
    merchant_class: str

    def value(self) -> str:
        """The template's value."""
        fields = zip(
            ("00", "01", "02", "03"), (self.domain, self.pan, self.merchant, self.merchant_class), strict=True
        )
        return tlv.encode([DataObject(*one) for one in fields])


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who wants to be paid: accounts in their order, national number, category (ISO 18245), name and place."""

    accounts: tuple[Acquirer, ...]
    nmid: str
    mcc: str
    name: str
    city: str
    post_code: str
    additional: Mapping[Additional, str] = field(default_factory=dict)


def static_code(merchant: Merchant, amount: Sen | None = None, tip: Tip | None = None) -> QrisCode:
    """A code for the wall; the payer enters the amount where it has none. Raises QrRefused for what no code can say."""
    return _code(merchant, Method.STATIC, amount, tip)


def dynamic_code(merchant: Merchant, amount: Sen, bill: str = "", tip: Tip | None = None) -> QrisCode:
    """A code for one payment, `bill` naming it; raises QrRefused."""
    billed = {Additional.BILL: bill, **merchant.additional} if bill else merchant.additional
    return _code(replace(merchant, additional=billed), Method.DYNAMIC, amount, tip)


def _code(merchant: Merchant, method: Method, amount: Sen | None, tip: Tip | None) -> QrisCode:
    for name, limit in _LIMITS.items():
        if len(getattr(merchant, name)) > limit:
            raise QrRefused(QrReason.LENGTH_OVERRUN, f"a merchant's {name} has at most {limit} characters")
    values = {"00": "01", "01": method.value}
    values |= {f"{FIRST_ACCOUNT + at}": one.value() for at, one in enumerate(merchant.accounts)}
    national = {"00": "ID.CO.QRIS.WWW", "02": merchant.nmid, "03": merchant.accounts[0].merchant_class}
    values |= {NATIONAL: tlv.encode([DataObject(*one) for one in national.items()])}
    values |= {"52": merchant.mcc, "53": RUPIAH}
    values |= {"54": write_amount(amount)} if amount is not None else {}
    values |= _tip_values(tip)
    values |= {"58": INDONESIA, "59": merchant.name, "60": merchant.city, "61": merchant.post_code}
    if merchant.additional:
        sorted_ = sorted((what.value, value) for what, value in merchant.additional.items())
        values["62"] = tlv.encode([DataObject(*one) for one in sorted_])
    # Read as anybody would: what is written here can be paid.
    code = QrisCode.of(tuple(DataObject(*one) for one in values.items()))
    if len(code.text()) > CHARACTERS_MAX:
        raise QrRefused(
            QrReason.TOO_LONG, f"{len(code.text())} characters: a code has at most {CHARACTERS_MAX}"
        )
    return code


def _tip_values(tip: Tip | None) -> dict[str, str]:
    if tip is None:
        return {}
    values = {"55": tip.kind.value}
    if tip.kind is TipKind.FIXED:
        values["56"] = write_amount(Sen(tip.value))
    elif tip.kind is TipKind.PERCENT:
        values["57"] = write_percent(tip.value)
    return values
