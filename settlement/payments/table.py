"""Payment instructions in a bank's own table: CSV by a template, which is data (a page of the rulebook, named by the bank's code).

| field | what it says | default |
|---|---|---|
| `columns` | in their order, each `{"title": ..., "value": ...}`, or `{"title": ..., "fixed": ...}` for the same text in each row | needed |
| `delimiter`, `decimal`, `encoding` | as the bank wants them | ";" "." utf-8 |
| `header` | whether the titles stand in the first row | true |
| `date_format` | dd, mm, yyyy | yyyymmdd |
| `rails` | what the bank calls IN_HOUSE, BI_FAST, SKN, RTGS | their names |

Values: number, message, reference, account, name, bank, bic, amount, date, rail, text, our_account.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from keys.clock import date_of
from keys.money import Sen, plain
from keys.quoting import quoted
from settlement.errors import RuleRefused
from settlement.payments.pain001 import message_id, remittance
from settlement.payments.rails import Rail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keys.clock import Day
    from settlement.items import Item
    from settlement.participants import Bank, Participants

VALUES: Final = (
    "number", "message", "reference", "account", "name", "bank", "bic", "amount", "date", "rail", "text", "our_account",
)  # fmt: skip
_PLAIN_FIELDS: Final = ("delimiter", "decimal", "encoding", "header", "date_format")
_FIELDS: Final = frozenset({"columns", "rails", *_PLAIN_FIELDS})
COLUMNS_MAX: Final = 60
_FORMULA: Final = ("=", "+", "-", "@", "\t")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and the value it takes, or a text that is the same in each row."""

    title: str
    value: str
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """How one bank wants its table."""

    columns: tuple[Column, ...]
    delimiter: str = ";"
    decimal: str = "."
    encoding: str = "utf-8"
    header: bool = True
    date_format: str = "yyyymmdd"
    rails: tuple[tuple[str, str], ...] = ()


def template_of(told: Any) -> Template:
    """A template from what staff wrote; raises RuleRefused."""
    if not isinstance(told, dict) or set(told) - _FIELDS:
        raise RuleRefused(f"a template has the fields {', '.join(sorted(_FIELDS))}")
    columns = told.get("columns")
    if not isinstance(columns, list) or not 0 < len(columns) <= COLUMNS_MAX:
        raise RuleRefused(f"columns: a list of 1 to {COLUMNS_MAX}")
    made = Template(
        tuple(_column(one) for one in columns),
        rails=tuple(sorted(_rails(told.get("rails", {})).items())),
        **_plain_fields(told),
    )
    _check(made)
    return made


def _plain_fields(told: dict[str, Any]) -> dict[str, Any]:
    """The fields that are one text, or yes and no; raises RuleRefused."""
    found: dict[str, Any] = {name: told[name] for name in _PLAIN_FIELDS if name in told}
    for name, value in found.items():
        if not isinstance(value, bool if name == "header" else str):
            wanted = "true or false" if name == "header" else "a text"
            raise RuleRefused(f"{name} is {quoted(value)}: {wanted}")
    return found


def _check(made: Template) -> None:
    """Raises RuleRefused where a bank could not read such a table."""
    rules = (
        (len(made.delimiter) == 1, "delimiter: one character"),
        (made.decimal in {".", ","} and made.decimal != made.delimiter, "decimal: a point or a comma, not the delimiter"),
        (made.encoding in {"utf-8", "cp1252"}, "encoding: utf-8 or cp1252"),
        ("dd" in made.date_format, "date_format: of dd, mm, yyyy"),
        ({"reference", "account", "amount"} <= {one.value for one in made.columns}, "columns: reference, account and amount are needed"),
    )  # fmt: skip
    for holds, words in rules:
        if not holds:
            raise RuleRefused(words)


def _column(told: Any) -> Column:
    if not isinstance(told, dict) or not isinstance(told.get("title"), str):
        raise RuleRefused(f"a column is {quoted(told)}: a title, and a value or a fixed text")
    if told.keys() == {"title", "fixed"} and isinstance(told["fixed"], str):
        return Column(told["title"], "", told["fixed"])
    if told.keys() == {"title", "value"} and told["value"] in VALUES:
        return Column(told["title"], told["value"])
    raise RuleRefused(f"column {quoted(told['title'])}: a fixed text, or a value of {', '.join(VALUES)}")


def _rails(told: Any) -> dict[str, str]:
    names = {rail.name for rail in Rail}
    if (
        not isinstance(told, dict)
        or set(told) - names
        or not all(isinstance(one, str) for one in told.values())
    ):
        raise RuleRefused(f"rails: the bank's names of {', '.join(sorted(names))}")
    return told


def file_name(window: Day, bank: int) -> str:
    """The name of a table on disk."""
    return f"payments-{date_of(window):%Y%m%d}-{bank:04d}.csv"


def payment_table(
    window: Day, bank: Bank, items: Sequence[Item], participants: Participants, template: Template
) -> bytes:
    """The table that asks a bank to make its payments among `items`; b"" where there is none to make.

    The same window gives the same bytes. Raises RuleRefused where a name cannot be written in the bank's encoding, or would
    be read by a spreadsheet as a formula.
    """
    payments = sorted(
        (item for item in items if item.bank == bank.code and item.rail is not None),
        key=lambda item: item.reference,
    )
    if not payments:
        return b""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=template.delimiter, lineterminator="\r\n")
    if template.header:
        writer.writerow([column.title for column in template.columns])
    for number, item in enumerate(payments, start=1):
        values = _values(number, item, window, bank, participants, template)
        writer.writerow(
            [column.fixed if not column.value else values[column.value] for column in template.columns]
        )
    try:
        return text.getvalue().encode(template.encoding)
    except UnicodeEncodeError as error:
        lost = error.object[error.start : error.end]
        raise RuleRefused(
            f"{quoted(lost)} in a name cannot be written in {template.encoding}: change the template"
        ) from None


def _values(
    number: int, item: Item, window: Day, bank: Bank, participants: Participants, template: Template
) -> Mapping[str, str]:
    party = participants.party(item.code, item.party)
    home = participants.bank(party.bank)
    day = date_of(item.due)
    if party.name.startswith(_FORMULA):
        raise RuleRefused(
            f"the name {party.name!r} begins like a formula of a spreadsheet: change the participant"
        )
    rail = item.rail.name if item.rail is not None else ""
    told = (
        template.date_format.replace("yyyy", f"{day:%Y}")
        .replace("mm", f"{day:%m}")
        .replace("dd", f"{day:%d}")
    )
    return {
        "number": str(number),
        "message": message_id(window, bank.code),
        "reference": item.reference,
        "account": party.account,
        "name": party.name,
        "bank": home.name,
        "bic": home.bic,
        "amount": plain(Sen(-item.amount)).replace(".", template.decimal),
        "date": told,
        "rail": dict(template.rails).get(rail, rail),
        "text": remittance(item, party.name),
        "our_account": bank.account,
    }
