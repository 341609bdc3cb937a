"""Who rides, and what a leg costs them: category, concession, and what is done where a place is unknown. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from keys.clock import UnixMs, service_day
from keys.money import Rupiah
from terminals.fares.decision import FareRefused, Step
from terminals.fares.prices import Leg, Quote

if TYPE_CHECKING:
    from card.layout import Identity
    from terminals.fares.decision import Place
    from terminals.fares.tariff import Tariff


def need_in_date(identity: Identity, at: UnixMs) -> None:
    """Raises FareRefused for a card past its date: it rides, pays and is loaded no more."""
    if identity.valid_until < service_day(at):
        raise FareRefused("expired", "the card is past its date: exchange it at a counter")


@dataclass(frozen=True, slots=True)
class Rider:
    """A rider under a tariff: the category that prices are looked up by, and the class's name with why it differs."""

    tariff: Tariff
    category: str
    name: str
    why: str = ""

    @classmethod
    def of(cls, tariff: Tariff, identity: Identity, at: UnixMs, *, in_date: bool = True) -> Self:
        """The holder of a card at a moment; raises FareRefused for a card past its date, unless it may leave (`in_date` False)."""
        if in_date:
            need_in_date(identity, at)
        category, why = tariff.category(identity, service_day(at))
        name = "" if category == tariff.prices.default and not why else identity.concession.name.lower()
        return cls(tariff, category, name, why)

    def boarding(self, leg: Leg) -> Quote:
        """The price of a leg of which only the beginning is tapped: its own, or the dearest where that depends on its end."""
        if self.tariff.prices.place_matters(leg):
            return self.degraded(leg)
        found = self.tariff.prices.quotes(leg, self.category)
        if not found:
            raise self._no_fare()
        return found[-1] if any(one.rule.to_area for one in found) else found[0]

    def riding(self, leg: Leg) -> Quote:
        """The price of a leg that was tapped at both ends."""
        if self.tariff.prices.place_matters(leg):
            return self.degraded(leg)
        found = self.tariff.prices.quotes(leg, self.category)
        if not found:
            raise self._no_fare()
        return found[0]

    def degraded(self, leg: Leg) -> Quote:
        """What is charged where the terminal does not know its place: the policy's fare, else the cheapest that it could be.

        The rider is not to blame, so the doubt is theirs.
        """
        found = self.tariff.prices.quotes(leg, self.category)
        if not found:
            raise self._no_fare()
        fares = dict(self.tariff.policy.degraded)
        fixed = fares.get(self.category, fares.get(""))
        cheapest, note = found[0], "degraded:position-unknown"
        if fixed is None:
            return replace(cheapest, note=note if found[-1].amount > cheapest.amount else "")
        return Quote(fixed, fixed, cheapest.rule, note)

    def dearest(self, leg: Leg) -> Quote:
        """The most that a ride from here could cost."""
        found = self.tariff.prices.quotes(leg, self.category)
        if not found:
            raise self._no_fare()
        return found[-1]

    def dearest_to(self, place: Place, at: UnixMs) -> Quote:
        """The most that a ride which ends here could have cost, wherever on this network and whenever it began."""
        prices, since = self.tariff.prices, UnixMs(at - 60_000 * self.tariff.policy.ride_minutes)
        legs = [
            Leg(place.route_number, 0, place.stop_number, start, at) for start in prices.stretches(since, at)
        ]
        found = [quote for leg in legs for quote in prices.quotes(leg, self.category)]
        if not found:
            raise self._no_fare()
        return max(found, key=lambda quote: quote.amount)

    def steps_of(self, quote: Quote) -> tuple[Step, ...]:
        """A price as a step, with the code that says whose price it is."""
        noted = (Step(quote.note, Rupiah(0)),) if quote.note else ()
        return (Step(self.code(quote), quote.amount), *noted)

    def code(self, quote: Quote) -> str:
        """`full`, `full:pupil-expired`, `full:pupil-rest-day`, `concession:pupil` (with @product where several have a concession)."""
        if not self.name:
            return "full"
        if self.why:
            return f"full:{self.name}-{self.why}"
        conceded = self.tariff.prices.has_concession(self.category)
        if quote.amount >= quote.full:
            return f"full:{self.name}-rest-day" if conceded else f"full:{self.name}"
        one = self.tariff.prices.is_one_concession(self.category)
        return f"concession:{self.name}" + ("" if one else f"@{quote.rule.product}")

    def _no_fare(self) -> FareRefused:
        return FareRefused(
            "no-fare", f"tariff {self.tariff.version} knows no fare here: call the control room"
        )
