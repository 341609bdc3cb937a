"""Explanations in the database, and the intake's rows that they are about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keys.clock import UnixMs
from ledger.intake import tables as intake
from ledger.intake.quarantine.store import ExceptionRow, QuarantineRow, exception_row, quarantine_row
from ledger.intake.reasons import ExceptionKind
from ledger.schema import columns_of
from settlement.breaks.tables import explanations
from settlement.people import Person
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from ledger.store import Connection

_NUMBER_MAX = (1 << 63) - 1


class Of(StrEnum):
    """What an explanation is about."""

    QUARANTINE = "quarantine"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who said when why something is as it is."""

    who: Person
    at: UnixMs
    why: str


def _numbers(parts: list[str]) -> tuple[int, ...] | None:
    if not all(part.isascii() and part.isdigit() and int(part) <= _NUMBER_MAX for part in parts):
        return None
    return tuple(int(part) for part in parts)


def quarantined(connection: Connection, key: str) -> QuarantineRow | None:
    """The record of a key `terminal-sequence`; None where there is none."""
    place, table = _numbers(key.split("-")), intake.quarantine
    if place is None or len(place) != 2:  # noqa: PLR2004
        return None
    query = sa.select(*columns_of(table, QuarantineRow)).where(
        table.c.partition == WHOLE, table.c.terminal == place[0], table.c.sequence == place[1]
    )
    row = connection.execute(query).first()
    return None if row is None else quarantine_row(row)


def raised(connection: Connection, key: str) -> ExceptionRow | None:
    """The exception of a key `kind-partition-uid-counter-terminal-sequence`; None where there is none."""
    kind, *rest = key.split("-")
    place, table = _numbers(rest), intake.exceptions
    if place is None or len(place) != 5 or kind not in set(ExceptionKind):  # noqa: PLR2004
        return None
    names = ("partition", "uid", "tmc", "terminal", "sequence")
    query = sa.select(*columns_of(table, ExceptionRow)).where(
        table.c.kind == kind, *(table.c[name] == value for name, value in zip(names, place, strict=True))
    )
    row = connection.execute(query).first()
    return None if row is None else exception_row(row)


def explanation_of(connection: Connection, of: Of, key: str) -> Explanation | None:
    """What somebody said of it; None where nobody did yet."""
    table = explanations
    query = sa.select(table).where(table.c.partition == WHOLE, table.c.source == of.value, table.c.key == key)
    row = connection.execute(query).first()
    return None if row is None else Explanation(Person(row.who), UnixMs(row.at), row.why)


def insert(connection: Connection, of: Of, key: str, said: Explanation) -> None:
    """Keep what somebody said."""
    values = {"source": of.value, "key": key, "who": said.who, "at": said.at, "why": said.why}
    connection.execute(sa.insert(explanations), {"partition": WHOLE, **values})
