"""The expected values beside a public suite's MT940 files, taken from their YAML without a YAML parser's objects.

Those files are dumps of another parser's objects: amounts are decimal texts, dates are four bytes (year, month, day) in base64.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

_AMOUNT = re.compile(r"^    amount: (?:&\w+ )?!!python.*?^ +- '(-?[\d.]+)'", re.MULTILINE | re.DOTALL)
_DATE = r"^    {name}: (?:&\w+ )?!!python.*?!!binary \|\n +(\S+)"
_PLAIN = r"^    {name}: '?(.*?)'?$"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a public suite says that one transaction is."""

    sen: int
    value_date: date
    customer_reference: str
    bank_reference: str


def expected(text: str) -> list[Expected]:
    """The transactions of a YAML dump, in order."""
    body = text.split("\ntransactions:", 1)[1]
    return [_one(part) for part in re.split(r"^- (?:&\w+ )?!!python/object:mt940.models.Transaction$", body, flags=re.MULTILINE)[1:]]  # fmt: skip


def _one(part: str) -> Expected:
    amount, day = _AMOUNT.search(part), re.search(_DATE.format(name="date"), part, re.MULTILINE | re.DOTALL)
    assert amount is not None, part[:200]
    assert day is not None, part[:200]
    packed = base64.b64decode(day[1])
    return Expected(
        int(Decimal(amount[1]) * 100),
        date(packed[0] * 256 + packed[1], packed[2], packed[3]),
        _plain(part, "customer_reference"),
        _plain(part, "bank_reference"),
    )


def _plain(part: str, name: str) -> str:
    found = re.search(_PLAIN.format(name=name), part, re.MULTILINE)
    return "" if found is None or found[1] in {"null", "NONREF"} else found[1].strip()
