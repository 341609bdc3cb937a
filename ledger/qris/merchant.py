"""Who is paid by a code: merchant accounts (26 to 45: acquirers; 51: the national repository), tips, additional data.

Source: EMVCo QRCPS Merchant-Presented 1.1, sections 4.7 to 4.8; QRIS (PADG 21/18/PADG/2019) for what stands inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from keys.money import Sen
from ledger.qris import tlv

if TYPE_CHECKING:
    from ledger.qris.tlv import DataObject

NATIONAL: Final = "51"
NATIONAL_DOMAINS: Final = frozenset({"ID.CO.QRIS.WWW", "ID.OR.GPNQR.WWW"})
"""The repository's domain, and the one of codes from before 2020."""
PERCENT: Final = 10_000
"""Hundredths of a percent in one."""


class Method(StrEnum):
    """Point of initiation (01): a code that is printed, or one made for a single payment."""

    STATIC = "11"
    DYNAMIC = "12"


class TipKind(StrEnum):
    """Tip or convenience fee indicator (55)."""

    ASKED = "01"
    FIXED = "02"
    PERCENT = "03"


@dataclass(frozen=True, slots=True)
class Tip:
    """What comes on top: asked from the payer, a fixed sum in sen (56), or hundredths of a percent (57)."""

    kind: TipKind
    value: int = 0

    def on(self, amount: Sen, asked: Sen = Sen(0)) -> Sen:
        """The tip for an amount, in sen; a percentage is rounded half up to the whole sen. `asked`: what the payer chose."""
        if self.kind is TipKind.ASKED:
            return asked
        if self.kind is TipKind.FIXED:
            return Sen(self.value)
        return Sen((2 * amount * self.value + PERCENT) // (2 * PERCENT))


@dataclass(frozen=True, slots=True)
class MerchantAccount:
    """One template of 26 to 51: the acquirer's domain (00), merchant PAN (01), merchant's number there (02), class (03)."""

    tag: str
    domain: str
    pan: str
    merchant: str
    merchant_class: str
    objects: tuple[DataObject, ...]

    @classmethod
    def parse(cls, tag: str, value: str) -> Self:
        """From a template's value; raises QrRefused."""
        objects = tlv.parse(value, f"{tag}.")
        by_tag = dict(objects)
        domain, pan, merchant, merchant_class = (by_tag.get(sub, "") for sub in ("00", "01", "02", "03"))
        return cls(tag, domain, pan, merchant, merchant_class, objects)

    @property
    def is_national(self) -> bool:
        """True for the repository's template, whose merchant number is the NMID."""
        return self.domain.upper() in NATIONAL_DOMAINS


class Additional(StrEnum):
    """What the additional data (62) may tell; `***` asks the payer for it."""

    BILL = "01"
    MOBILE = "02"
    STORE = "03"
    LOYALTY = "04"
    REFERENCE = "05"
    CUSTOMER = "06"
    TERMINAL = "07"
    PURPOSE = "08"
    ASKED_OF_PAYER = "09"
