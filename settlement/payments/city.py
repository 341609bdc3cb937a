"""A city's own rails: the shipped rows, with those that its staff keep in the rulebook, and its own bank calendar."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any

from keys.errors import MoneyError
from keys.money import Sen, parse
from keys.quoting import quoted
from settlement.calendar.city import city_calendar
from settlement.calendar.hours import Hours, HoursTable, shipped_hours
from settlement.errors import RuleRefused
from settlement.payments.rails import Rail, RailRules, RailTerms, shipped_terms
from settlement.rulebook.model import RuleKind

if TYPE_CHECKING:
    from settlement.rulebook.book import Rulebook

_FIELDS = ("rail", "from", "until", "over", "at_most", "fee", "opens", "closes", "bank_days_only")


def city_rails(rulebook: Rulebook) -> RailRules:
    """The rails as they hold now; raises RuleRefused where a page is none."""
    rows = [rail_rows(page.told) for page in rulebook.current(RuleKind.RAIL)]
    return RailRules(
        terms=(*shipped_terms(), *(terms for terms, _ in rows)),
        hours=HoursTable([*shipped_hours().rows, *(hours for _, hours in rows)]),
        calendar=city_calendar(rulebook),
    )


def rail_rows(told: Any) -> tuple[RailTerms, Hours]:
    """A dated row of a rail from a page's content; raises RuleRefused, naming the field."""
    if not isinstance(told, dict) or set(told) != set(_FIELDS):
        raise RuleRefused(f"a rail's row has the fields {', '.join(_FIELDS)}")
    try:
        rail = Rail[told["rail"]]
    except (KeyError, TypeError):
        raise RuleRefused(f"rail is {quoted(told['rail'])}: {', '.join(one.name for one in Rail)}") from None
    first, until = _day(told, "from"), _day(told, "until") if told["until"] is not None else None
    terms = RailTerms(
        rail,
        first,
        _amount(told, "fee"),
        _amount(told, "over"),
        None if told["at_most"] is None else _amount(told, "at_most"),
        until,
    )
    if terms.at_most is not None and terms.at_most <= terms.over:
        raise RuleRefused("at_most lies below over: the rail would take nothing")
    if not isinstance(told["bank_days_only"], bool):
        raise RuleRefused(f"bank_days_only is {quoted(told['bank_days_only'])}: true or false")
    hours = Hours(
        rail.name, first, _time(told, "opens"), _time(told, "closes"), told["bank_days_only"], until
    )
    return terms, hours


def _day(told: dict[str, Any], field: str) -> date:
    try:
        return date.fromisoformat(told[field])
    except (TypeError, ValueError):
        raise RuleRefused(f"{field} is {quoted(told[field])}: a day such as 2027-01-01") from None


def _time(told: dict[str, Any], field: str) -> time:
    try:
        return time.fromisoformat(told[field])
    except (TypeError, ValueError):
        raise RuleRefused(f"{field} is {quoted(told[field])}: a time such as 16:45") from None


def _amount(told: dict[str, Any], field: str) -> Sen:
    try:
        amount = parse(told[field]) if isinstance(told[field], str) else Sen(-1)
    except MoneyError:
        amount = Sen(-1)
    if amount < 0:
        raise RuleRefused(f'{field} is {quoted(told[field])}: an amount as text, such as "2900.00"')
    return amount
