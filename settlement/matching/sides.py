"""One item, one line, as people and breaks look at them: rows of the columns that matching works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.clock import Day
from keys.money import Sen
from settlement.matching.columns import ITEMS, LINES
from settlement.statements.kept import LineKey

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Expected:
    """An item: sen, negative where we pay; `due` is the day of execution, `told` the reference that a bank tells it by ("": its own)."""

    reference: str
    bank: int
    amount: Sen
    window: Day
    due: Day
    name: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A line: sen, positive where the account grows; `day` is its value date. `repeated`: the bank has told it before."""

    key: LineKey
    bank: int
    day: Day
    amount: Sen
    reference: str
    end_to_end: str
    text: str
    bank_reference: str
    repeated: bool

    @property
    def given(self) -> str:
        """The reference that it carries: end to end, else the account owner's."""
        return self.end_to_end or self.reference


def expected_of(items: pl.DataFrame) -> list[Expected]:
    """Rows of `columns.ITEMS`, with a column `told` where there is one."""
    columns = [*ITEMS, *(name for name in ("told",) if name in items.columns)]
    return [
        Expected(reference, bank, Sen(amount), Day(window), Day(due), name, *told)
        for reference, bank, amount, window, due, name, *told in items.select(columns).iter_rows()
    ]


def told_of(lines: pl.DataFrame) -> list[Told]:
    """Rows of `columns.LINES`."""
    return [
        Told(LineKey(*row[:3]), row[3], Day(row[4]), Sen(row[5]), *row[6:])
        for row in lines.select(*LINES).iter_rows()
    ]
