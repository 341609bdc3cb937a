"""A merchant-presented code: read from text with every check that a payment rests on, and given back byte for byte.

What a payment does not rest on (a name of 26 characters, a missing national number: printed codes have them) is told as an
`Irregularity`, not refused. Data objects that are not known are kept, in their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from ledger.errors import QrReason, QrRefused
from ledger.qris import tlv
from ledger.qris.amounts import read_amount, read_percent
from ledger.qris.crc import crc
from ledger.qris.merchant import Additional, MerchantAccount, Method, Tip, TipKind

if TYPE_CHECKING:
    from keys.money import Sen
    from ledger.qris.tlv import DataObject

CHARACTERS_MAX: Final = 512
"""EMVCo, section 3.1: more is no code that phones can read."""
RUPIAH: Final = "360"
INDONESIA: Final = "ID"
CRC_HEAD: Final = "6304"
_CRC_CHARACTERS: Final = len(CRC_HEAD) + 4
_NEEDED: Final = ("52", "53", "58", "59", "60")
_TEMPLATES: Final = frozenset(f"{number:02d}" for number in range(26, 52))
_PRIMITIVE_ACCOUNTS: Final = frozenset(f"{number:02d}" for number in range(2, 26))
_NAME_MAX, _CITY_MAX, _POST_CODE_MAX, _MCC, _NMID = 25, 15, 10, 4, 15


class Irregularity(StrEnum):
    """What is not as the standard has it, and changes nothing for the payment."""

    METHOD_MISSING = "method_missing"
    MCC = "mcc"
    NAME_LONG = "name_long"
    CITY_LONG = "city_long"
    POST_CODE_LONG = "post_code_long"
    NMID_MISSING = "nmid_missing"
    NMID = "nmid"


@dataclass(frozen=True)
class QrisCode:
    """A code that was read, or written by `ledger.qris.writing`: its data objects in order, and what they say.

    `amount` is None where the payer enters it. `accounts` are the templates 26 to 51 in their order.
    """

    objects: tuple[DataObject, ...]
    method: Method
    amount: Sen | None
    tip: Tip | None
    accounts: tuple[MerchantAccount, ...]
    additional: tuple[DataObject, ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """A code from what a camera saw.

        Raises QrRefused with the first `QrReason` that stands against it, in this order: length and characters, checksum, form of the
        data objects, format, what is missing, what is wrong.
        """
        return cls.of(tlv.parse(_checked(text)))

    @classmethod
    def of(cls, objects: tuple[DataObject, ...]) -> Self:
        """A code from data objects, the checksum left out or last; raises QrRefused."""
        if objects and objects[-1].tag == "63":
            objects = objects[:-1]
        by_tag = dict(objects)
        if not objects or objects[0] != ("00", "01"):
            raise QrRefused(
                QrReason.FORMAT_UNKNOWN, "it does not begin with 000201: another kind of QR", "00"
            )
        method, amount = _method(by_tag), _amount(by_tag)
        accounts = tuple([MerchantAccount.parse(*one) for one in objects if one.tag in _TEMPLATES])
        _refuse_unusable(by_tag, has_account=bool(accounts))
        additional = tlv.parse(by_tag["62"], "62.") if "62" in by_tag else ()
        return cls(objects, method, amount, _tip(by_tag), accounts, additional)

    def text(self) -> str:
        """The code as text, with its checksum: the very bytes that were read."""
        body = tlv.encode(self.objects) + CRC_HEAD
        return body + crc(body)

    @cached_property
    def values(self) -> dict[str, str]:
        """Values by identifier."""
        return dict(self.objects)

    @property
    def merchant_name(self) -> str:
        """Name (59) as it stands."""
        return self.values["59"]

    @property
    def city(self) -> str:
        """City (60) as it stands."""
        return self.values["60"]

    @property
    def nmid(self) -> str:
        """National merchant number, "" where the code has none."""
        return next((account.merchant for account in self.accounts if account.is_national), "")

    @property
    def merchant_class(self) -> str:
        """Class as the first account that has one tells it, "" where none does."""
        return next((one.merchant_class for one in self.accounts if one.merchant_class), "")

    def additional_of(self, what: Additional) -> str:
        """A value of the additional data, "" where it is not there."""
        return dict(self.additional).get(what.value, "")

    @property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """What is not as the standard has it; a payment rests on none of it."""
        values = self.values
        found = {
            Irregularity.METHOD_MISSING: "01" not in values,
            Irregularity.MCC: not (len(values["52"]) == _MCC and _is_digits(values["52"])),
            Irregularity.NAME_LONG: len(self.merchant_name) > _NAME_MAX,
            Irregularity.CITY_LONG: len(self.city) > _CITY_MAX,
            Irregularity.POST_CODE_LONG: len(values.get("61", "")) > _POST_CODE_MAX,
            Irregularity.NMID_MISSING: not self.nmid,
            Irregularity.NMID: bool(self.nmid) and not _is_nmid(self.nmid),
        }
        return tuple(one for one, holds in found.items() if holds)


def _checked(text: str) -> str:
    """The text without its checksum, which is good; raises QrRefused."""
    if len(text) > CHARACTERS_MAX:
        raise QrRefused(QrReason.TOO_LONG, f"{len(text)} characters: a code has at most {CHARACTERS_MAX}")
    if not text.isprintable():
        raise QrRefused(QrReason.NOT_TEXT, "it holds characters that no code has")
    end = len(text) - _CRC_CHARACTERS
    if end < 0 or text[end : end + len(CRC_HEAD)] != CRC_HEAD:
        raise QrRefused(
            QrReason.CRC_MISSING, "it does not end with a checksum (6304): cut off, or no QRIS code", "63"
        )
    said, is_ = text[-4:], crc(text[:-4])
    if said != is_:
        raise QrRefused(
            QrReason.CRC_MISMATCH, f"its checksum says {said}, its text gives {is_}: scan it again", "63"
        )
    return text[:end]


def _method(by_tag: dict[str, str]) -> Method:
    said = by_tag.get("01", Method.STATIC)
    if said not in set(Method):
        raise QrRefused(QrReason.METHOD_UNKNOWN, f"point of initiation {said!r}: it is 11 or 12", "01")
    return Method(said)


def _amount(by_tag: dict[str, str]) -> Sen | None:
    return read_amount(by_tag["54"], "54") if "54" in by_tag else None


def _tip(by_tag: dict[str, str]) -> Tip | None:
    said = by_tag.get("55")
    if said is None:
        if "56" in by_tag or "57" in by_tag:
            raise QrRefused(QrReason.TIP_INVALID, "a tip without the indicator 55", "55")
        return None
    if said not in set(TipKind):
        raise QrRefused(QrReason.TIP_INVALID, f"tip indicator {said!r}: it is 01, 02 or 03", "55")
    kind = TipKind(said)
    wanted = {TipKind.FIXED: {"56"}, TipKind.PERCENT: {"57"}}.get(kind, set())
    if {"56", "57"} & by_tag.keys() != wanted:
        raise QrRefused(
            QrReason.TIP_INVALID, f"tip indicator {said} goes with {wanted or 'neither 56 nor 57'}", "55"
        )
    if kind is TipKind.FIXED:
        return Tip(kind, read_amount(by_tag["56"], "56"))
    return Tip(kind, read_percent(by_tag["57"], "57") if kind is TipKind.PERCENT else 0)


def _refuse_unusable(by_tag: dict[str, str], *, has_account: bool) -> None:
    if not has_account and not _PRIMITIVE_ACCOUNTS & by_tag.keys():
        raise QrRefused(QrReason.ACCOUNT_MISSING, "it names no merchant account (02 to 51)", "26")
    for tag in _NEEDED:
        if tag not in by_tag:
            raise QrRefused(QrReason.FIELD_MISSING, f"data object {tag} is missing", tag)
    if by_tag["53"] != RUPIAH:
        raise QrRefused(QrReason.CURRENCY_OTHER, f"its currency is {by_tag['53']}, not rupiah (360)", "53")
    if by_tag["58"] != INDONESIA:
        raise QrRefused(QrReason.COUNTRY_OTHER, f"its country is {by_tag['58']}, not ID", "58")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_nmid(nmid: str) -> bool:
    return len(nmid) == _NMID and nmid.startswith(INDONESIA) and _is_digits(nmid[2:])
