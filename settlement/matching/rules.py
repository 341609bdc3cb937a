"""The rules of matching as data: which passes there are, in which order, and what each may do. A set has a version and a digest.

People change a set as JSON, try it over a past month (`settlement.matching.trying`), and only then put it in force.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from keys.money import Rupiah, Sen, sen_of
from keys.quoting import cut, quoted
from settlement.errors import RulesInvalid

RULES_NAME: Final = "passes"
"""The page of the rulebook that holds a city's set, one version after the other."""
PASSES_MAX: Final = 40
DAYS_MAX: Final = 15
FEES_MAX: Final = 16
GROUP_MAX: Final = 12
CANDIDATES_MAX: Final = 40
NAME_CHARACTERS_MAX: Final = 40


class By(StrEnum):
    """What a pass goes by."""

    REVERSAL = "reversal"
    REVERSAL_TEXT = "reversal by its text"
    REFERENCE = "reference"
    REFERENCE_PART = "part of the reference"
    COUNTERPARTY = "counterparty and date"
    NAMED_BUNDLE = "several references in one line"
    BATCH = "whole payment file in one line"
    BATCH_PART = "part of a payment file in one line"
    SPLIT = "one reference in several lines"
    SUBSET = "sum of a counterparty's items"
    SUBSET_LINES = "sum of a counterparty's lines"
    BALANCE = "all that is left of a counterparty"


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass. Amounts in sen.

    `fees` are the fees that a bank may keep: the line is the items' sum less one of them. `rounding` is how far a line may be off
    besides, for banks that cut sen off. `days_late` counts business days after the due day. `members_max` and `candidates_max` bound
    the search for a sum.
    """

    name: str
    by: By
    confidence: int
    fees: tuple[Sen, ...] = ()
    rounding: Sen = Sen(0)
    days_late: int = 0
    members_max: int = 6
    candidates_max: int = 20

    def __post_init__(self) -> None:
        """Raises RulesInvalid."""
        bounds = {
            "confidence": (self.confidence, 1, 100),
            "days_late": (self.days_late, 0, DAYS_MAX),
            "members_max": (self.members_max, 2, GROUP_MAX),
            "candidates_max": (self.candidates_max, 2, CANDIDATES_MAX),
            "fees (how many)": (len(self.fees), 0, FEES_MAX),
            "name (characters)": (len(self.name.strip()), 1, NAME_CHARACTERS_MAX),
        }
        for what, (value, least, most) in bounds.items():
            if not least <= value <= most:
                raise RulesInvalid(
                    f"pass {quoted(self.name)}: {what} is {value}: it must be {least} to {most}"
                )
        if self.rounding < 0 or any(fee <= 0 for fee in self.fees):
            raise RulesInvalid(f"pass {quoted(self.name)}: fees and rounding are sen above zero")


_RAIL_FEES: Final = (sen_of(Rupiah(2_500)), sen_of(Rupiah(2_900)), sen_of(Rupiah(25_000)))
"""BI-FAST, SKN, and what banks commonly take for RTGS: cities change these."""
_SHIPPED: Final = (
    Pass("reversal", By.REVERSAL, 99, days_late=10),
    Pass("reversal by its text", By.REVERSAL_TEXT, 95, days_late=10),
    Pass("reference and amount", By.REFERENCE, 100),
    Pass("reference cut short", By.REFERENCE_PART, 97),
    Pass("amount, date and counterparty", By.COUNTERPARTY, 95),
    Pass("reference within tolerance", By.REFERENCE, 95, _RAIL_FEES, Sen(99)),
    Pass("several references in one line", By.NAMED_BUNDLE, 98, _RAIL_FEES),
    Pass("one reference in several lines", By.SPLIT, 97, _RAIL_FEES),
    Pass("payment file in one line", By.BATCH, 96, _RAIL_FEES),
    Pass("counterparty net of fee", By.COUNTERPARTY, 90, _RAIL_FEES, Sen(99)),
    Pass("several items in one line", By.SUBSET, 88, _RAIL_FEES, days_late=3),
    Pass("one item in several lines", By.SUBSET_LINES, 86, days_late=3),
    Pass("late by business days", By.COUNTERPARTY, 90, days_late=3),
    Pass("part of a payment file", By.BATCH_PART, 90, _RAIL_FEES, candidates_max=40),
    Pass("all that is left of a party", By.BALANCE, 85, days_late=3),
)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Passes in their order. Version 0 is the one that the software ships.

    `suggest_from` is the score, in percent, from which a pair is suggested; texts never make a match by themselves.
    """

    version: int = 0
    passes: tuple[Pass, ...] = field(default=_SHIPPED)
    suggest_from: int = 70

    def __post_init__(self) -> None:
        """Raises RulesInvalid."""
        names = [one.name for one in self.passes]
        if not 1 <= len(names) <= PASSES_MAX:
            raise RulesInvalid(f"{len(names)} passes: a set has 1 to {PASSES_MAX}")
        if len(set(names)) != len(names):
            raise RulesInvalid("two passes have one name: a match could not tell which made it")
        if not 1 <= self.suggest_from <= 100:  # noqa: PLR2004  percent
            raise RulesInvalid(f"suggest_from is {self.suggest_from}: it must be 1 to 100")

    @property
    def body(self) -> str:
        """The set as JSON, without its version; the same set gives the same text."""
        told = {"suggest_from": self.suggest_from, "passes": [_told(one) for one in self.passes]}
        return json.dumps(told, indent=1, ensure_ascii=False)

    @property
    def sha256(self) -> str:
        """The digest of `body`."""
        return sha256(self.body.encode()).hexdigest()


SHIPPED: Final = RuleSet()


def _told(one: Pass) -> dict[str, Any]:
    plain = Pass(one.name, one.by, one.confidence)
    told = {part.name: getattr(one, part.name) for part in fields(Pass)}
    kept = ("name", "by", "confidence")
    return {name: value for name, value in told.items() if name in kept or value != getattr(plain, name)}


def parse(body: str, version: int = 0) -> RuleSet:
    """A set from its JSON; raises RulesInvalid, saying what is wrong with it."""
    try:
        told = json.loads(body)
        unknown = set(told) - {"passes", "suggest_from"}
        if unknown:
            raise RulesInvalid(f"a set has no {quoted(min(unknown))}: it has passes and suggest_from")
        passes = tuple(_pass(one) for one in told["passes"])
        return RuleSet(version, passes, _whole(told.get("suggest_from", 70), "suggest_from"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RulesInvalid(
            f"this is no set of rules ({cut(error)}): take one from `hebat settlement match rules`"
        ) from None


def _pass(told: dict[str, Any]) -> Pass:
    names = {part.name for part in fields(Pass)}
    unknown = set(told) - names
    if unknown:
        raise RulesInvalid(f"a pass has no {quoted(min(unknown))}: it has {', '.join(sorted(names))}")
    if told["by"] not in set(By):
        raise RulesInvalid(f"a pass goes by {quoted(told['by'])}: it must be one of {', '.join(By)}")
    plain = Pass(str(told["name"]), By(told["by"]), _whole(told["confidence"], "confidence"))

    def whole(name: str) -> int:
        return _whole(told.get(name, getattr(plain, name)), name)

    return replace(
        plain,
        fees=tuple(Sen(_whole(fee, "fees")) for fee in told.get("fees", ())),
        rounding=Sen(whole("rounding")),
        days_late=whole("days_late"),
        members_max=whole("members_max"),
        candidates_max=whole("candidates_max"),
    )


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**15:
        raise RulesInvalid(f"{name} is {quoted(value)}: it must be a whole number")
    return value
