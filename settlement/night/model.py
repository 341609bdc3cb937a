"""The three-way report: figures that must be zero, or be explained by exceptions with a name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from keys.clock import Day, date_of

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED_MAX: Final = 1_000
"""Exceptions that one figure lists; what is over them stands in one line."""


class Side(StrEnum):
    """What is compared with what."""

    CARD = "card against ledger"
    BOOKS = "ledger against itself"
    BANK = "ledger against bank"


class Unit(StrEnum):
    """What a figure counts."""

    SEN = "sen"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Named:
    """An exception that explains a part of a figure: its name, the part, and a sentence for who looks into it."""

    name: str
    figure: int
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """A figure that should be zero. `checked` says over how many things it goes, `text` what is wrong where nothing explains it."""

    side: Side
    name: str
    unit: Unit
    figure: int
    checked: int
    named: tuple[Named, ...] = ()
    text: str = ""

    @property
    def unexplained(self) -> int:
        """What no exception explains."""
        return self.figure - sum(one.figure for one in self.named)


def listed(named: Iterable[Named]) -> tuple[Named, ...]:
    """At most NAMED_MAX exceptions, by name; the rest in one line."""
    ordered = sorted(named, key=lambda one: one.name)
    rest = ordered[NAMED_MAX:]
    if not rest:
        return tuple(ordered)
    return (*ordered[:NAMED_MAX], Named("others", sum(one.figure for one in rest), f"{len(rest)} more"))


@dataclass(frozen=True, slots=True)
class ThreeWay:
    """The report of a night. Its bytes are kept, covered by the chain, and the same whenever the night is run again."""

    business_date: Day
    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """True where the books agree with themselves."""
        return not any(check.unexplained for check in self.of(Side.BOOKS))

    def of(self, side: Side) -> tuple[Check, ...]:
        """The figures of one side."""
        return tuple(check for check in self.checks if check.side is side)

    def body(self) -> bytes:
        """Canonical JSON."""
        told = {
            "three_way": date_of(self.business_date).isoformat(),
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def of_body(cls, business_date: Day, body: bytes) -> Self:
        """From its bytes."""
        return cls(business_date, tuple(_check(one) for one in json.loads(body)["checks"]))


def _check(told: dict[str, Any]) -> Check:
    named = tuple(Named(**one) for one in told["named"])
    return Check(**{**told, "side": Side(told["side"]), "unit": Unit(told["unit"]), "named": named})
