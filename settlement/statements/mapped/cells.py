"""One row of a bank's table by the names of its mapping: dates, amounts, texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from keys.errors import MoneyError
from keys.money import Sen, parse
from keys.quoting import quoted
from settlement.errors import StatementRefused
from settlement.statements.mapped.mapping import date_pattern

if TYPE_CHECKING:
    from settlement.statements.mapped.mapping import Column, Mapping
    from settlement.statements.mapped.rows import Row

_CENTURY: Final = 2000
_SHORT_YEAR: Final = 2
_GROUP: Final = 3
_YEAR: Final = timedelta(days=366)


def period_of(text: str) -> tuple[date, date] | None:
    """The days of a period such as "10/08/2009 - 15/08/2009", day first; None where it tells none, or ends before it begins."""
    days = []
    for part in text.replace("/", "-").split(" - "):
        try:
            day, month, year = (int(number) for number in part.strip().split("-"))
            days.append(date(year, month, day))
        except (ValueError, OverflowError):
            return None
    return (days[0], days[-1]) if days[0] <= days[-1] else None


def _days_of_years(day: int, month: int, years: set[int]) -> list[date]:
    """A day in those of the years that have it, the earliest first; raises ValueError where none does."""
    found = []
    for year in sorted(years):
        try:
            found.append(date(year, month, day))
        except ValueError:  # 29 February
            continue
    if not found:
        raise ValueError
    return found


@dataclass(frozen=True, slots=True)
class Cells:
    """One row's cells by the mapping's names."""

    mapping: Mapping
    header: list[str]
    row: Row
    period: str

    def _place(self, column: Column) -> int:
        if isinstance(column, int):
            return column - 1
        if self.header.count(column) != 1:
            raise StatementRefused(
                f"the header has {self.header.count(column)} columns {quoted(column)}: name it by its number",
                self.row[0],
            )
        return self.header.index(column)

    def texts(self, name: str) -> list[str]:
        """The cells of a column's name, "" where the row is too short."""
        cells = self.row[1]
        places = [self._place(column) for column in self.mapping.columns.get(name, ())]
        return [cells[place] if place < len(cells) else "" for place in places]

    def text(self, name: str) -> str:
        """The one cell of a column's name."""
        return next(iter(self.texts(name)), "")

    def day(self, name: str) -> date | None:
        """A date; None where the mapping has no such column, or the cell is empty."""
        text = self.text(name)
        if not text:
            return None
        found = date_pattern(self.mapping.date_format).fullmatch(text)
        if found is None:
            raise StatementRefused(f"{quoted(text)} is no date as {self.mapping.date_format}", self.row[0])
        day, month, year = int(found["d"]), int(found["m"]), found.groupdict().get("y")
        try:
            if year is None:
                return self._within(day, month)
            return date(int(year) + (_CENTURY if len(year) == _SHORT_YEAR else 0), month, day)
        except ValueError:
            raise StatementRefused(f"{quoted(text)} is no date", self.row[0]) from None

    def _within(self, day: int, month: int) -> date:
        """The day and month of the period's year in which they lie; a period may go over the new year."""
        period = period_of(self.period)
        if period is None:
            raise StatementRefused("dates have no year, and no period tells it", self.row[0])
        if period[1] - period[0] > _YEAR:
            raise StatementRefused("dates have no year, and the period is longer than one", self.row[0])
        found = _days_of_years(day, month, {period[0].year, period[1].year})
        inside = [one for one in found if period[0] <= one <= period[1]]
        return inside[0] if inside else found[-1]

    def amount(self, name: str) -> Sen:
        """An amount; nothing where the cell is empty."""
        return amount_of(self.text(name), self.mapping, self.row[0])

    def balance(self) -> Sen | None:
        """The balance after the row; None where it tells none."""
        text = self.text("balance")
        return balance_of(text, self.mapping, self.row[0]) if text else None

    def movement(self) -> Sen:
        """What the row moves, by the mapping's convention of signs."""
        if self.mapping.sign == "columns":
            debit, credit = self.amount("debit"), self.amount("credit")
            if debit and credit:
                raise StatementRefused("a row with a debit and a credit", self.row[0])
            return Sen(credit - abs(debit))
        if self.mapping.sign == "mark":
            return self._marked(self.amount("amount"), self.text("mark"))
        if not self.text("amount"):
            raise StatementRefused("a row without an amount", self.row[0])
        return self.amount("amount")

    def _marked(self, amount: Sen, mark: str) -> Sen:
        signs = dict.fromkeys(self.mapping.debit_marks, -1) | dict.fromkeys(self.mapping.credit_marks, 1)
        if mark.upper() not in signs or amount < 0:
            raise StatementRefused(f"{quoted(mark)} says neither debit nor credit", self.row[0])
        return Sen(amount * signs[mark.upper()])


def amount_of(text: str, mapping: Mapping, line: int) -> Sen:
    """An amount as the mapping's marks write it, with a suffix where it uses them; nothing for an empty text."""
    told = text.strip()
    if mapping.sign != "suffix" or not told:
        return _plain(told, mapping, line)
    body, sign = _suffixed(told, mapping)
    if sign == 0:
        raise StatementRefused(f"{quoted(text)} says neither debit nor credit", line)
    return Sen(sign * _plain(body, mapping, line))


def balance_of(text: str, mapping: Mapping, line: int) -> Sen:
    """A balance: a suffix says that it is owed where the mapping says so, else it repeats the row's and says nothing."""
    body, sign = _suffixed(text.strip(), mapping)
    amount = _plain(body, mapping, line)
    return Sen(-amount) if sign < 0 and mapping.balance_sign == "suffix" else amount


def _suffixed(told: str, mapping: Mapping) -> tuple[str, int]:
    """A text without its suffix, and what that says: -1 debit, 1 credit, 0 there is none."""
    body, _, mark = told.rpartition(" ")
    if mark.upper() in mapping.debit_marks:
        return body.strip(), -1
    return (body.strip(), 1) if mark.upper() in mapping.credit_marks else (told, 0)


def _plain(told: str, mapping: Mapping, line: int) -> Sen:
    if not told:
        return Sen(0)
    whole = (_ungrouped(told, mapping, line) if mapping.thousands else told).replace(mapping.decimal, ".")
    try:
        return parse(f"0{whole}" if whole.startswith(".") else whole)
    except MoneyError:
        raise StatementRefused(
            f"{quoted(told)} is no amount with {mapping.decimal!r} as decimal mark", line
        ) from None


def _ungrouped(told: str, mapping: Mapping, line: int) -> str:
    """Without the marks between thousands, which must stand between groups of three: 1.00 is no hundred."""
    whole, mark, decimals = told.partition(mapping.decimal)
    head, *groups = whole.split(mapping.thousands)
    if groups and (
        any(len(group) != _GROUP for group in groups) or not 1 <= len(head.lstrip("-+")) <= _GROUP
    ):
        raise StatementRefused(f"{quoted(told)} is not grouped by {mapping.thousands!r} in threes", line)
    return head + "".join(groups) + mark + decimals
