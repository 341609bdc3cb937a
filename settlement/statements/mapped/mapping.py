r"""A mapping: how one bank's table tells a statement. It is data, kept in the rulebook, version by version.

| field | what it says | default |
|---|---|---|
| `delimiter` | what parts the cells: "," ";" "|" or "\t" | "," |
| `encoding` | utf-8, cp1252 or latin-1 | utf-8 |
| `sheet` | the sheet of an XLSX, by name; "" is the first | "" |
| `header` | texts that stand in the header row, which is found by them | needed |
| `cells` | a row is complete with so many cells; shorter ones go on in the next row; 0: every row is complete | 0 |
| `columns` | which column (number from 1, or the text of its header) is `booking_date`, `value_date`, `amount`, `debit`, `credit`, `mark`, `balance`, `text` (one or several), `reference`, `bank_reference`, `account` | a date and an amount are needed |
| `date_format` | as in 31/12/2026: d, m, yyyy or yy, such as "dd/mm/yyyy"; without a year it is that of the period | dd/mm/yyyy |
| `decimal`, `thousands` | the marks in amounts | "." and "," |
| `sign` | "signed" (-5), "columns" (debit and credit apart), "mark" (a column that says which), "suffix" (5 D) | signed |
| `balance_sign` | "" where a balance has its own minus, or none; "suffix" where its suffix says that it is owed | "" |
| `debit_marks` | marks and suffixes that mean money going out | D, DB, DR |
| `credit_marks` | and those of money coming in | C, CR, K |
| `labels` | texts before the header or after the rows, behind which stand `account`, `currency`, `period`, `opening`, `closing` | none |
| `account`, `currency` | where the file does not tell them | "", IDR |
| `end` | texts at which the rows end | none |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from keys.quoting import QUOTED_MAX, cut, quoted
from settlement.errors import RuleRefused

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

COLUMNS: Final = (
    "booking_date", "value_date", "amount", "debit", "credit", "mark", "balance", "text", "reference",
    "bank_reference", "account",
)  # fmt: skip
LABELS: Final = ("account", "currency", "period", "opening", "closing")
SIGNS: Final = ("signed", "columns", "mark", "suffix")
ENCODINGS: Final = ("utf-8", "cp1252", "latin-1")
FIELDS: Final = frozenset({
    "delimiter", "encoding", "sheet", "header", "cells", "columns", "date_format", "decimal", "thousands", "sign",
    "balance_sign", "debit_marks", "credit_marks", "labels", "account", "currency", "end",
})  # fmt: skip
_DATE_PARTS: Final = {
    "dd": "(?P<d>\\d{1,2})",
    "mm": "(?P<m>\\d{1,2})",
    "yyyy": "(?P<y>\\d{4})",
    "yy": "(?P<y>\\d{2})",
}
DEBIT_MARKS: Final = ("D", "DB", "DR")
CREDIT_MARKS: Final = ("C", "CR", "K")
CELLS_MAX: Final = 200

Column = int | str


@dataclass(frozen=True, slots=True)
class Mapping:
    """One version of a mapping; `tag` names it with its version, and is kept with each file that it read."""

    name: str
    version: int
    header: tuple[str, ...]
    columns: Dict[str, tuple[Column, ...]]
    delimiter: str = ","
    encoding: str = "utf-8"
    sheet: str = ""
    cells: int = 0
    date_format: str = "dd/mm/yyyy"
    decimal: str = "."
    thousands: str = ","
    sign: str = "signed"
    balance_sign: str = ""
    debit_marks: tuple[str, ...] = DEBIT_MARKS
    credit_marks: tuple[str, ...] = CREDIT_MARKS
    labels: Dict[str, str] | None = None
    account: str = ""
    currency: str = "IDR"
    end: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The mapping and its version, as "klikbca 2"."""
        return f"{self.name} {self.version}"

    def label(self, name: str) -> str:
        """The text of a label, "" where the bank has none."""
        return (self.labels or {}).get(name, "")


def date_pattern(date_format: str) -> re.Pattern[str]:
    """A date's form as a pattern with groups d, m and y; raises RuleRefused."""
    parts = re.split(r"(yyyy|yy|mm|dd)", date_format)
    pattern = "".join(_DATE_PARTS.get(part, re.escape(part)) for part in parts)
    if sorted(part for part in parts if part in {"dd", "mm"}) != ["dd", "mm"] or pattern.count("<y>") > 1:
        raise RuleRefused(f"date_format is {quoted(date_format)}: dd, mm, and yyyy or yy, such as dd/mm/yyyy")
    return re.compile(pattern)


def mapping_of(name: str, version: int, told: Any) -> Mapping:
    """A mapping from what staff wrote; raises RuleRefused, naming the field that is not as it must be."""
    if not isinstance(told, dict):
        raise RuleRefused("a mapping is a JSON object of fields")
    if unknown := sorted(set(told) - FIELDS):
        raise RuleRefused(
            f"a mapping has no field {cut(unknown[0], QUOTED_MAX)}: {', '.join(sorted(FIELDS))}"
        )
    made = Mapping(
        name=name,
        version=version,
        header=_texts(told, "header", ()),
        columns=_columns(told.get("columns")),
        cells=_cells(told.get("cells", 0)),
        debit_marks=_texts(told, "debit_marks", DEBIT_MARKS),
        credit_marks=_texts(told, "credit_marks", CREDIT_MARKS),
        labels=_labels(told.get("labels", {})),
        end=_texts(told, "end", ()),
        **{field: _text(told, field) for field in _PLAIN if field in told},
    )
    _check(made)
    return made


_PLAIN: Final = (
    "delimiter", "encoding", "sheet", "date_format", "decimal", "thousands", "sign", "balance_sign", "account",
    "currency",
)  # fmt: skip


def _text(told: Dict[str, Any], field: str) -> Any:
    value = told[field]
    if not isinstance(value, str):
        raise RuleRefused(f"{field} is {quoted(value)}: a text is meant")
    return value


def _texts(told: Dict[str, Any], field: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    value = told.get(field, list(otherwise))
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise RuleRefused(f"{field} is {quoted(value)}: a list of texts is meant")
    return tuple(one.strip() for one in value)


def _columns(told: Any) -> dict[str, tuple[Column, ...]]:
    if not isinstance(told, dict) or (unknown := sorted(set(told) - set(COLUMNS))):
        which = f"no column {cut(unknown[0], QUOTED_MAX)}" if isinstance(told, dict) else "no columns"
        raise RuleRefused(f"{which}: {', '.join(COLUMNS)}")
    return {name: _column(name, value) for name, value in told.items()}


def _column(name: str, told: Any) -> tuple[Column, ...]:
    values = told if isinstance(told, list) and name == "text" else [told]
    for value in values:
        number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= CELLS_MAX
        if not number and not (isinstance(value, str) and value.strip()):
            raise RuleRefused(f"column {name} is {quoted(value)}: a number from 1, or the header's text")
    return tuple(value.strip() if isinstance(value, str) else value for value in values)


def _labels(told: Any) -> dict[str, str]:
    if not isinstance(told, dict) or set(told) - set(LABELS):
        raise RuleRefused(f"labels are {quoted(told)}: texts for {', '.join(LABELS)}")
    return {name: _text(told, name) for name in told}


def _cells(told: Any) -> int:
    if not isinstance(told, int) or not 0 <= told <= CELLS_MAX:
        raise RuleRefused(f"cells is {quoted(told)}: 0 to {CELLS_MAX}")
    return told


def _check(made: Mapping) -> None:
    needed = {"columns": {"debit", "credit"}, "mark": {"amount", "mark"}}.get(made.sign, {"amount"})
    rules = (
        (bool(made.header), "header: name texts of the header row, by which it is found"),
        (made.encoding in ENCODINGS, f"encoding is {quoted(made.encoding)}: {', '.join(ENCODINGS)}"),
        (made.sign in SIGNS, f"sign is {quoted(made.sign)}: {', '.join(SIGNS)}"),
        (made.balance_sign in {"", "suffix"}, f"balance_sign is {quoted(made.balance_sign)}: nothing, or suffix"),
        (len(made.delimiter) == 1, f"delimiter is {quoted(made.delimiter)}: one character"),
        (made.decimal in {".", ","}, f"decimal is {quoted(made.decimal)}: a point or a comma"),
        (made.thousands in {".", ",", " ", "'", ""}, f"thousands is {quoted(made.thousands)}: a mark or nothing"),
        (made.decimal != made.thousands, "decimal and thousands are the same mark"),
        (needed <= set(made.columns), f"sign {made.sign} needs the columns {', '.join(sorted(needed))}"),
        (bool({"booking_date", "value_date"} & set(made.columns)), "a column booking_date or value_date is needed"),
        (bool(made.account or made.label("account") or "account" in made.columns), "where does the account stand? account, a label or a column"),
    )  # fmt: skip
    for holds, words in rules:
        if not holds:
            raise RuleRefused(words)
    date_pattern(made.date_format)
    if "y" not in made.date_format and not made.label("period"):
        raise RuleRefused("date_format has no year: name the label of the period")
