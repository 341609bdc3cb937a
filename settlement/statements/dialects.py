"""Banks' dialects of MT940: which deviations of which bank are mended before the standard's own rules are applied.

A dialect is a set of mends by name. Every mend that was needed is told as a remark, which is kept with the file: a file that
was read is a file of the standard, or one of which it is written down what was wrong. A mend never changes an amount that
has its comma, a sign or a balance; what is still not a statement after mending is refused.

| bank | what was seen of its files | dialect |
|---|---|---|
| BTN | an Indonesian sample | statement numbers of six digits, amounts without comma |
| BNI, Mandiri, BCA, BRI | no MT940 sample at hand | the standard, with tabs, long statement numbers and old field 28 |
| European banks | public test suites | all mends but the missing comma |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from settlement.statements.model import ours_in

if TYPE_CHECKING:
    from collections.abc import Callable


class Mend(StrEnum):
    """A deviation that can be put right without guessing at money."""

    CONTROL = "control characters left out"
    TABS = "tabs read as spaces"
    CHARSET = "text of Windows-1252 read where UTF-8 fails"
    HEADER = "lines of the bank's own before the first field left out"
    TRAILER = "text of the bank's own behind the end of a message left out"
    FIELD_28 = "old field 28 read as 28C"
    LONG_NUMBER = "statement numbers of more than five digits kept as they are"
    NO_COMMA = "amounts without a comma read as whole currency units"
    WRAPPED = "a field broken over two lines joined"
    NO_FIELD = "a line that only looks like a field read as text"
    MONTH_END = "a 29th, 30th or 31st that its month lacks read as its last day"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a bank does otherwise, and where its field 86 has the end-to-end reference."""

    name: str
    mends: frozenset[Mend]
    reference: Callable[[str], str]


_SLASHES: Final = re.compile(r"/EREF/([^/]*)")
_SUBFIELDS: Final = re.compile(r"\?(\d\d)([^?]*)")
_KEYWORD: Final = re.compile(r"[A-Z]{4}[+:]")
_PURPOSE: Final = frozenset(str(code) for code in range(20, 30))
_EREF: Final = "EREF+"


def end_to_end_of(details: str) -> str:
    """The reference behind /EREF/ in field 86."""
    found = _SLASHES.search(details.replace("\n", ""))
    return found.group(1) if found else ""


def german_reference(details: str) -> str:
    """The reference behind /EREF/, or behind EREF+ in the subfields 20 to 29 (DFÜ agreement of the German banks, annex 3)."""
    parts = [text for code, text in _SUBFIELDS.findall(details.replace("\n", "")) if code in _PURPOSE]
    first = next((place for place, text in enumerate(parts) if text.startswith(_EREF)), None)
    if first is None:
        return end_to_end_of(details)
    more = takewhile(lambda text: not _KEYWORD.match(text), parts[first + 1 :])
    return "".join([parts[first].removeprefix(_EREF), *more]).strip()


def indonesian_reference(details: str) -> str:
    """The reference behind /EREF/, else a reference of ours anywhere in the text."""
    return end_to_end_of(details) or ours_in(details.replace("\n", ""))


_INDONESIAN: Final = frozenset({Mend.TABS, Mend.LONG_NUMBER, Mend.FIELD_28})

STRICT: Final = Dialect("the standard", frozenset(), end_to_end_of)
EUROPEAN: Final = Dialect("European", frozenset(Mend) - {Mend.NO_COMMA, Mend.LONG_NUMBER}, german_reference)
BNI: Final = Dialect("BNI", _INDONESIAN, indonesian_reference)
MANDIRI: Final = Dialect("Mandiri", _INDONESIAN, indonesian_reference)
BCA: Final = Dialect("BCA", _INDONESIAN, indonesian_reference)
BRI: Final = Dialect("BRI", _INDONESIAN, indonesian_reference)
BTN: Final = Dialect("BTN", _INDONESIAN | {Mend.NO_COMMA}, indonesian_reference)

_BY_BIC: Final = {"BNINIDJA": BNI, "BMRIIDJA": MANDIRI, "CENAIDJA": BCA, "BRINIDJA": BRI, "BTANIDJA": BTN}
BY_NAME: Final = {dialect.name: dialect for dialect in (STRICT, EUROPEAN, BNI, MANDIRI, BCA, BRI, BTN)}


def dialect_of(bic: str) -> Dialect:
    """The dialect of a bank by its BIC; the standard for a bank that none is known of."""
    return _BY_BIC.get(bic[:8], STRICT)
