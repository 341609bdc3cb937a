"""Money as whole sen: the one place where rupiah, sen and text meet (law 1).

The ledger counts sen (ISO 4217: IDR, 360, exponent 2); the chip's value file counts whole rupiah. No float
ever touches an amount.
"""

from __future__ import annotations

import re
from typing import NewType

from keys.errors import MoneyError

Sen = NewType("Sen", int)
Rupiah = NewType("Rupiah", int)

SEN_PER_RUPIAH = 100
_AMOUNT = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,2}))?")


def sen_of(rupiah: Rupiah) -> Sen:
    """Rupiah of the chip as sen of the ledger."""
    return Sen(rupiah * SEN_PER_RUPIAH)


def rupiah_of(sen: Sen) -> Rupiah:
    """Sen as whole rupiah.

    Raises MoneyError where sen would be lost.
    """
    rupiah, rest = divmod(sen, SEN_PER_RUPIAH)
    if rest:
        raise MoneyError(f"{plain(sen)} is no whole rupiah: a chip cannot hold it")
    return Rupiah(rupiah)


def parse(text: str) -> Sen:
    """Sen of a bank's decimal text: "12345678.00", "3500", "10.5".

    Raises MoneyError for anything else (exponents, grouping, more than two decimals, other scripts' digits).
    """
    found = _AMOUNT.fullmatch(text) if text.isascii() else None
    if found is None:
        raise MoneyError(f"{text[:40]!r} is no amount: digits, then at most two decimals after a point")
    sign, whole, decimals = found.groups()
    sen = int(whole) * SEN_PER_RUPIAH + int((decimals or "").ljust(2, "0"))
    return Sen(-sen if sign else sen)


def plain(sen: Sen) -> str:
    """Sen as a bank's decimal text: 350000 is "3500.00"."""
    rupiah, rest = divmod(abs(sen), SEN_PER_RUPIAH)
    return f"{'-' if sen < 0 else ''}{rupiah}.{rest:02d}"


def display(sen: Sen) -> str:
    """Sen as people in Indonesia write it: "Rp3.500", and "Rp10,50" where there are sen."""
    rupiah, rest = divmod(abs(sen), SEN_PER_RUPIAH)
    grouped = f"{rupiah:,}".replace(",", ".")
    return f"{'-' if sen < 0 else ''}Rp{grouped}{f',{rest:02d}' if rest else ''}"
