"""Items and lines for tests of matching: short to write, and turned into the columns that matching works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from keys.clock import Day
from keys.money import Sen
from settlement.matching.columns import ITEMS, LINES
from settlement.matching.sides import Expected, Told
from settlement.statements.kept import LineKey
from tests.settlement.town import BNI, DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.matching.engine import Found

DIGEST: Final = "ab" * 32
NAMES: Final = ("PT Citra Armada", "Toko Oen", "Lumpia Gang Lombok")

Named = tuple[str, frozenset[str], frozenset[int]]
"""A match as rule, references of items, numbers of lines."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A line, and what it says: whole references of ours, the beginning of one, a party's name, that it takes something back."""

    line: Told
    refs: tuple[str, ...] = ()
    part: str = ""
    party: str = ""
    marked: bool = False

    @property
    def ref(self) -> str:
        return self.refs[0] if len(self.refs) == 1 else ""


def reference(number: int, bank: int = BNI) -> str:
    return f"KSH-20261118-{bank:04d}-{number:04d}"


def item(
    number: int, amount: int = -100_00, bank: int = BNI, days: int = 0, name: str = NAMES[0], window: int = 0
) -> Expected:
    return Expected(
        reference(number, bank), bank, Sen(amount), Day(DAY + window), Day(DAY + window + days), name
    )


def line(
    number: int, amount: int = -100_00, given: str = "", text: str = "TRF", bank: int = BNI, days: int = 0,
    bank_reference: str | None = None, *, repeated: bool = False,
) -> Told:  # fmt: skip
    own = f"B{number}" if bank_reference is None else bank_reference
    return Told(
        LineKey(DIGEST, 1, number), bank, Day(DAY + days), Sen(amount), "", given, text, own, repeated
    )


def item_columns(items: Iterable[Expected]) -> pl.DataFrame:
    rows = [(one.reference, one.bank, one.amount, one.window, one.due, one.name) for one in items]
    return pl.DataFrame(rows, ITEMS, orient="row")


def line_columns(lines: Iterable[Told]) -> pl.DataFrame:
    rows = [
        (*one.key, one.bank, one.day, one.amount, one.reference, one.end_to_end, one.text, one.bank_reference, one.repeated)
        for one in lines
    ]  # fmt: skip
    return pl.DataFrame(rows, LINES, orient="row")


@dataclass(frozen=True, slots=True)
class Given:
    """Both sides of a run."""

    items: tuple[Expected, ...]
    lines: tuple[Told, ...]


def named(found: Found, given: Given) -> set[Named]:
    """The matches of a run over both sides' columns."""
    rules: dict[int, str] = {}
    of_items: dict[int, set[str]] = {}
    of_lines: dict[int, set[int]] = {}
    for m, rule, _, i in found.of_items.iter_rows():
        rules[m] = rule
        of_items.setdefault(m, set()).add(given.items[i].reference)
    for m, rule, _, place in found.of_lines.iter_rows():
        rules[m] = rule
        of_lines.setdefault(m, set()).add(given.lines[place].key.number)
    return {
        (rule, frozenset(of_items.get(m, ())), frozenset(of_lines.get(m, ()))) for m, rule in rules.items()
    }
