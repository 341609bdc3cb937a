"""A night's work over an open city: the same whether a shell has the ledger for itself, or a server does it for that shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hebat.errors import TO_LOOK_AT, LawBroken
from hebat.night_commands.telling import as_told, kept_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.wiring import City
    from keys.clock import Day
    from settlement.night.steps import Step


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for: whole nights, or their first half; of one business date, or of all that are due.

    `whole`: balances are rebuilt from the first transfer on.
    """

    day: Day | None = None
    only_settle: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The nights as `telling.as_told` tells them, and the exit code that they ask for."""

    nights: list[dict[str, Any]]
    code: int


def carry_out(city: City, wanted: Wanted, told: Callable[[Step], object]) -> Done:
    """Do it; `told` hears of each step. Raises what `settlement.night.running.Night` raises."""
    if wanted.only_settle and wanted.day is not None:
        city.night.settle(wanted.day, told)
        city.night.write_files(wanted.day)
        return Done([as_told(city, wanted.day)], 0)
    days = [wanted.day] if wanted.day is not None else city.night.due() or [city.night.last_settled()]
    nights, codes = [], []
    for day in days:
        report = city.night.run(day, told, whole=wanted.whole)
        codes.append(0 if report.is_sound else LawBroken.exit_code)
        codes.append(TO_LOOK_AT if report.to_look_at else 0)
        nights.append(as_told(city, day))
        kept_file(city, nights[-1])
    code = LawBroken.exit_code if LawBroken.exit_code in codes else max(codes)
    return Done(nights, code)
