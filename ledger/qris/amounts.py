"""Amounts in codes: "49500", "39000.00", "98." are sums (EMVCo, section 4.7.7.2); kept as they were written, read as sen."""

from __future__ import annotations

import re
from typing import Final

from keys.money import SEN_PER_RUPIAH, Rupiah, Sen, parse, plain, sen_of
from ledger.errors import QrReason, QrRefused

CHARACTERS_MAX: Final = 13
LIMIT: Final = sen_of(Rupiah(10_000_000))
"""At most so much in one payment."""
_AMOUNT: Final = re.compile(r"[0-9]{1,13}(\.[0-9]{0,2})?")
_PERCENT: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")


def read_amount(text: str, tag: str) -> Sen:
    """A sum of a code in sen.

    Raises QrRefused: AMOUNT_INVALID for no number, none at all or more than two decimals, AMOUNT_OVER_LIMIT.
    """
    if len(text) > CHARACTERS_MAX or not _AMOUNT.fullmatch(text):
        raise QrRefused(
            QrReason.AMOUNT_INVALID,
            f"{text!r} is no amount: digits, then at most two decimals after a point",
            tag,
        )
    sen = parse(text.removesuffix("."))
    if not sen:
        raise QrRefused(QrReason.AMOUNT_INVALID, "an amount of nothing: leave the data object out", tag)
    if sen > LIMIT:
        raise QrRefused(
            QrReason.AMOUNT_OVER_LIMIT,
            f"{plain(sen)} rupiah: a payment is at most {LIMIT // SEN_PER_RUPIAH}",
            tag,
        )
    return sen


def read_percent(text: str, tag: str) -> int:
    """A percentage in hundredths of a percent: "0.7" is 70. Raises QrRefused: TIP_INVALID."""
    found = parse(text) if _PERCENT.fullmatch(text) else Sen(0)
    if not found:
        raise QrRefused(QrReason.TIP_INVALID, f"{text!r} is no percentage from 0.01 to 99.99", tag)
    return found


def write_amount(sen: Sen) -> str:
    """Sen as codes of QRIS have them: whole rupiah without decimals, else two."""
    rupiah, rest = divmod(sen, SEN_PER_RUPIAH)
    return plain(sen) if rest else str(rupiah)


def write_percent(hundredths: int) -> str:
    """Hundredths of a percent as a code has them: 70 is "0.7", 100 is "1"."""
    return plain(Sen(hundredths)).rstrip("0").rstrip(".")
