"""Parties in a TOML file, as people write and read them: a table a party, banks by their four digits."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, Final

from hebat.errors import InputRefused
from keys.quoting import cut, quoted
from settlement.errors import ParticipantInvalid
from settlement.rulebook.parties import Entry, PartyKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from settlement.participants import Participants

FILE_BYTES_MAX: Final = 4_000_000
_TABLES: Final = {
    PartyKind.CITY: "city", PartyKind.BANK: "banks", PartyKind.OPERATOR: "operators", PartyKind.MERCHANT: "merchants",
    PartyKind.AGENT: "agents",
}  # fmt: skip
_CODES: Final = ("code", "bank")
"""Fields that a file shows as four digits, such as "0009"."""


def read(path: Path) -> list[Entry]:
    """The parties of a file; raises InputRefused with what is wrong in it."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise InputRefused(f"{path} has over {FILE_BYTES_MAX} bytes: give the parties in several files")
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputRefused(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputRefused(f"{path} is no TOML: {cut(error)}") from None
    try:
        return list(_entries(told))
    except ParticipantInvalid as error:
        raise InputRefused(f"{path}: {error}") from None


def _entries(told: dict[str, Any]) -> Iterator[Entry]:
    unknown = sorted(set(told) - set(_TABLES.values()))
    if unknown:
        raise ParticipantInvalid(
            f"there is no table {quoted(unknown[0])}: {', '.join(_TABLES.values())} are all"
        )
    for kind, table in _TABLES.items():
        rows = told.get(table, [])
        if kind is PartyKind.CITY:
            rows = [rows] if rows else []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ParticipantInvalid(f"write [[{table}]] before each of them")
        yield from (
            Entry(kind, {field: _number(field, value) for field, value in row.items()}) for row in rows
        )


def _number(field: str, value: Any) -> Any:
    if field in _CODES and isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value


def entries_of(participants: Participants) -> list[Entry]:
    """The parties of a city, however it has them."""
    city = participants.city
    found = [Entry(PartyKind.CITY, {"name": city.name, "bank": city.bank, "account": city.account})]
    found += [
        Entry(PartyKind.BANK, {"code": one.code, "name": one.name, "bic": one.bic, "account": one.account})
        for one in participants.banks.values()
    ]
    paid = [
        *((PartyKind.OPERATOR, one, {}) for one in participants.operators.values()),
        *((PartyKind.MERCHANT, one, {"class": str(one.merchant_class)}) for one in participants.merchants.values()),
        *((PartyKind.AGENT, one, {}) for one in participants.agents.values()),
    ]  # fmt: skip
    return found + [
        Entry(
            kind, {"number": one.number, "name": one.name, "bank": one.bank, "account": one.account, **more}
        )
        for kind, one, more in paid
    ]


def written(entries: Iterable[Entry]) -> str:
    """The same as a file that `read` takes."""
    return "\n".join(_table(entry) for entry in entries)


def _table(entry: Entry) -> str:
    name = _TABLES[entry.kind]
    head = f"[{name}]" if entry.kind is PartyKind.CITY else f"[[{name}]]"
    # A JSON text is a TOML basic string as it stands.
    lines = (
        f"{field} = {json.dumps(f'{value:04d}' if field in _CODES else value, ensure_ascii=False)}"
        for field, value in entry.told.items()
    )
    return "\n".join((head, *lines)) + "\n"
