"""Reads a bank's table by a mapping: header found by its texts, rows to lines, balances checked row by row where they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from keys.money import Sen, plain
from settlement.errors import StatementRefused
from settlement.statements.mapped.cells import Cells, balance_of, period_of
from settlement.statements.mapped.mapping import date_pattern
from settlement.statements.mapped.rows import rows
from settlement.statements.model import Line, Reading, Remarks, Statement, given, ours_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from settlement.statements.mapped.mapping import Mapping
    from settlement.statements.mapped.rows import Row

HEAD_ROWS_MAX: Final = 60


def fits(content: bytes, mapping: Mapping) -> bool:
    """Whether the mapping's header is found in a file."""
    try:
        return any(
            _is_header(cells, mapping)
            for _, (_, cells) in zip(range(HEAD_ROWS_MAX), rows(content, mapping), strict=False)
        )
    except StatementRefused:
        return False


def read(content: bytes, mapping: Mapping) -> Reading:
    """What a table says by a mapping; raises StatementRefused with the line, for the whole file."""
    table = _Table(mapping)
    for number, cells in rows(content, mapping):
        table.take(number, cells)
    remarks = Remarks()
    return Reading(f"mapping {mapping.tag}", tuple(table.statements(remarks)), remarks=remarks.all())


def _is_header(cells: Sequence[str], mapping: Mapping) -> bool:
    return set(mapping.header) <= set(cells)


@dataclass(frozen=True, slots=True)
class _Told:
    """A line with what stands beside it."""

    line: Line
    account: str
    balance: Sen | None


@dataclass(slots=True)
class _Table:
    """A table as its rows come in: what stands before, the header, the lines, what stands after."""

    mapping: Mapping
    header: list[str] | None = None
    header_line: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    found: list[_Told] = field(default_factory=list)
    ended: bool = False
    begun: Row | None = None

    def take(self, number: int, cells: list[str]) -> None:
        """Take the next row."""
        if self.header is None:
            if _is_header(cells, self.mapping):
                self.header, self.header_line = cells, number
            else:
                self._note_labels(cells)
        elif any(cells):
            self._below(number, cells)

    def _below(self, number: int, cells: list[str]) -> None:
        """A row below the header; one that was broken within a cell goes on until it has all of its cells."""
        if self.begun is not None:
            number, first = self.begun
            cells = [*first[:-1], f"{first[-1]} {cells[0]}".strip(), *cells[1:]]
            self.begun = None
        elif self._ends(cells):
            return
        if len(cells) < self.mapping.cells and date_pattern(self.mapping.date_format).fullmatch(cells[0]):
            self.begun = number, cells
        else:
            self.found.append(self._line(number, cells))

    def _ends(self, cells: list[str]) -> bool:
        """Whether the rows have ended: an end's text, or a label; what follows is looked at for labels only."""
        self.ended = self.ended or any(
            cell.startswith(mark) for cell in cells[:1] for mark in self.mapping.end
        )
        self.ended = self._note_labels(cells) or self.ended
        return self.ended

    def _note_labels(self, cells: list[str]) -> bool:
        """Keep what stands behind labels: in the same cell behind a colon, or in the next cell that says something."""
        noted = False
        for place, cell in enumerate(cells):
            for name, label in (self.mapping.labels or {}).items():
                if cell.rstrip(" :") == label or cell.startswith((f"{label}:", f"{label} :")):
                    behind = [cell[len(label) :], *cells[place + 1 :]]
                    told = next((one for text in behind if (one := text.strip(" :"))), "")
                    self.labels.setdefault(name, told)
                    noted = True
        return noted

    def _line(self, number: int, cells: list[str]) -> _Told:
        row = Cells(self.mapping, self.header or [], (number, cells), self.labels.get("period", ""))
        booked = row.day("booking_date") or row.day("value_date")
        if booked is None:
            raise StatementRefused("a row without a date", number)
        text = " ".join(" ".join(row.texts("text")).split())
        reference = given(row.text("reference"))
        line = Line(
            value_date=row.day("value_date") or booked,
            booking_date=booked,
            amount=row.movement(),
            currency=self.labels.get("currency", "") or self.mapping.currency,
            reference=reference,
            end_to_end=ours_in(f"{text} {reference}"),
            text=text,
            bank_reference=row.text("bank_reference"),
            source_line=number,
        )
        account = row.text("account") or self.labels.get("account", "") or self.mapping.account
        return _Told(line, account, row.balance())

    def statements(self, remarks: Remarks) -> Iterator[Statement]:
        """One statement for each account; raises StatementRefused."""
        if self.begun is not None:
            raise StatementRefused(f"a row of fewer than {self.mapping.cells} cells", self.begun[0])
        if self.header is None:
            raise StatementRefused(
                f"no row has the texts {', '.join(self.mapping.header)}: is it another mapping?"
            )
        if not self.found:
            raise StatementRefused("there is no row below the header", self.header_line)
        accounts = dict.fromkeys(told.account for told in self.found)
        if "" in accounts:
            raise StatementRefused(
                "the file names no account where the mapping looks for it", self.header_line
            )
        for account in accounts:
            yield self._statement(account, [told for told in self.found if told.account == account], remarks)

    def _statement(self, account: str, told: list[_Told], remarks: Remarks) -> Statement:
        told = self._in_order(told)
        lines = tuple(one.line for one in told)
        opening, closing = self._balances(told)
        moved = Sen(sum(line.amount for line in lines))
        if opening is None or closing is None:
            remarks.add(
                self.header_line,
                "the file tells no balances: its lines are taken on from the statement before",
            )
        days = [line.booking_date for line in lines]
        first, last = self._period(min(days), max(days))
        return Statement(
            account="".join(account.split()),
            identifier=f"{self.mapping.name} {first.isoformat()} {last.isoformat()}",
            currency=lines[0].currency,
            opening_date=first,
            opening=Sen(0) if opening is None else opening,
            closing_date=last,
            closing=moved if opening is None or closing is None else closing,
            lines=lines,
            source_line=self.header_line,
            balanced=opening is not None and closing is not None,
        )

    def _period(self, first: date, last: date) -> tuple[date, date]:
        """The days that the file says it covers, else those of its lines."""
        told = period_of(self.labels.get("period", ""))
        return told if told is not None and told[0] <= first and last <= told[1] else (first, last)

    def _in_order(self, told: list[_Told]) -> list[_Told]:
        """Oldest first: some banks tell the newest first, which days show, or within one day the balances."""
        turned = told[::-1]
        days = [one.line.booking_date for one in told]
        if days != sorted(days):
            return turned if days == sorted(days, reverse=True) else told
        return turned if _broken(told) is not None and _broken(turned) is None else told

    def _balances(self, told: list[_Told]) -> tuple[Sen | None, Sen | None]:
        """Opening and closing: from labels, else from the running balances, each of which must follow from the one before."""
        labelled = [self._labelled(name) for name in ("opening", "closing")]
        bare = next((one.line for one in told if one.balance is None), None)
        if bare is not None:
            if "balance" in self.mapping.columns:
                raise StatementRefused("a row without a balance, where the mapping has one", bare.source_line)
            return labelled[0], labelled[1]
        if (broken := _broken(told)) is not None:
            raise StatementRefused(
                f"the balance {plain(broken.balance or Sen(0))} does not follow from the one before and"
                f" {plain(broken.line.amount)}",
                broken.line.source_line,
            )
        first, last = told[0], told[-1]
        opening = Sen((first.balance or Sen(0)) - first.line.amount)
        return opening if labelled[0] is None else labelled[0], last.balance if labelled[
            1
        ] is None else labelled[1]

    def _labelled(self, name: str) -> Sen | None:
        text = self.labels.get(name, "")
        return balance_of(text, self.mapping, self.header_line) if text else None


def _broken(told: Sequence[_Told]) -> _Told | None:
    """The first line whose balance does not follow from the one before; None where all follow, or a balance is missing."""
    if any(one.balance is None for one in told):
        return None
    pairs = pairwise(told)
    return next(
        (after for before, after in pairs if (before.balance or 0) + after.line.amount != after.balance), None
    )
