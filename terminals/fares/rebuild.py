"""A card's journeys once more from its taps, in the card's own order: what each ride costs, and what the taps were charged too much or too little. Pure.

The card's counter gives the order, so the order of arrival is no matter. Each tap carries the journey file as the chip signed it before and after: where the file
before is not the one that the tap before left, a tap between is missing, and the chip's word stands in for it. What is due follows from the same functions as
at the terminal, under the tariff that the tap was taken under: a later tariff never changes a past journey.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from card.journey import JourneyState
from card.layout import TapKind
from keys.money import Rupiah
from terminals.fares.conditions import ride_ended_by
from terminals.fares.decision import FareDecision, FareRefused, Step
from terminals.fares.rides import decide, tap_in, tap_out, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from card.journey import Journey
    from card.layout import Identity
    from keys.clock import UnixMs
    from terminals.fares.decision import Place
    from terminals.fares.tariff import Tariff

_CAPS = frozenset({"daily-cap", "weekly-cap"})
_UNFINISHED = "missing-tap-out"


@dataclass(frozen=True, slots=True)
class RideTap:
    """A tap as the chip signed it: `tmc` is the card's counter, `charged` what it took, `tariff` the version that it was taken under."""

    tmc: int
    kind: TapKind
    at: UnixMs
    place: Place
    charged: Rupiah
    tariff: str
    identity: Identity
    before: Journey
    after: Journey
    companion: bool = False


@dataclass(slots=True)
class PricedRide:
    """A ride and what it costs: the counters of its taps, and the steps. `provisional` until its tap-out is known, or cannot be any more."""

    taps: list[int]
    steps: list[Step] = field(default_factory=list)
    provisional: bool = False

    @property
    def price(self) -> Rupiah:
        """The sum of its steps."""
        return Rupiah(sum(step.amount for step in self.steps))


@dataclass(frozen=True, slots=True)
class Correction:
    """What a tap was charged too little (or, negative, too much), and the code of the rule that says so."""

    tmc: int
    amount: Rupiah
    code: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """All rides of a card in order, and what is to be corrected."""

    rides: tuple[PricedRide, ...]
    corrections: tuple[Correction, ...]


def rebuild(taps: Iterable[RideTap], tariff: Callable[[str], Tariff | None], now: UnixMs) -> Rebuilt:
    """The rides of one card's taps, given in any order, each once; `tariff` finds a version, None where it is unknown.

    A ride that is open at `now`, and too old to be tapped out, costs the provisional maximum.
    """
    ordered = sorted(taps, key=lambda tap: tap.tmc)
    card = _Card(tariff)
    for tap in ordered:
        card.take(tap)
    card.close(now)
    return Rebuilt(tuple(card.rides), tuple(card.corrections))


class _Card:
    """The state on the way."""

    def __init__(self, tariff: Callable[[str], Tariff | None]) -> None:
        self._tariff = tariff
        self._last: RideTap | None = None
        self._state: Journey | None = None
        self._open: PricedRide | None = None
        self.rides: list[PricedRide] = []
        self.corrections: list[Correction] = []

    def take(self, tap: RideTap) -> None:
        if self._state is None or self._last is None or self._last.after != tap.before:
            self._state, self._open = tap.before, None
        done = self._decided(tap, self._state)
        late, own = split(done.steps)
        if self._open is not None and late:
            self._open.steps += late
            late = ()
        self._note(tap, [*late, *own])
        if done.amount != tap.charged:
            self.corrections.append(Correction(tap.tmc, Rupiah(done.amount - tap.charged), _reason(done)))
        self._state = done.journey
        self._last = tap

    def _note(self, tap: RideTap, steps: list[Step]) -> None:
        """The steps go to the ride that they belong to: a tap-out ends the open one, everything else begins one."""
        if tap.kind is TapKind.TAP_OUT and self._open is not None:
            self._open.taps.append(tap.tmc)
            self._open.steps += steps
            self._open = None
            return
        ride = PricedRide([tap.tmc], steps)
        self.rides.append(ride)
        if not tap.companion:
            self._open = ride if tap.kind is TapKind.TAP_IN else None

    def _decided(self, tap: RideTap, state: Journey) -> FareDecision:
        """What the rules say; what the card paid stands where they have no answer."""
        tariff = self._tariff(tap.tariff)
        if tariff is not None:
            with suppress(FareRefused):
                return _again(tariff, tap, state)
        return FareDecision(tap.after, (Step("as-charged", tap.charged),))

    def close(self, now: UnixMs) -> None:
        """The last ride, if it is open: provisional once nobody can tap it out any more."""
        last, state = self._last, self._state
        tariff = self._tariff(last.tariff) if last is not None else None
        if last is None or state is None or tariff is None or self._open is None:
            return
        if state.state is not JourneyState.INSIDE or now // 1000 <= ride_ended_by(tariff, state):
            return
        steps = unfinished(tariff, last.identity, state)
        self._open.steps += steps
        self._open.provisional = True
        amount = Rupiah(sum(step.amount for step in steps))
        if amount:
            self._correct_more(self._open.taps[-1], amount)

    def _correct_more(self, tmc: int, amount: Rupiah) -> None:
        """One correction a tap: the provisional fare comes on top of what the tap itself was charged wrongly."""
        known = {one.tmc: one for one in self.corrections}
        other = known.get(tmc)
        whole = Rupiah(amount + (other.amount if other else 0))
        self.corrections = [one for one in self.corrections if one.tmc != tmc]
        if whole:
            self.corrections.append(Correction(tmc, whole, _UNFINISHED))


def _again(tariff: Tariff, tap: RideTap, state: Journey) -> FareDecision:
    if tap.kind is TapKind.TAP_IN:
        return tap_in(tariff, tap.identity, state, tap.at, tap.place)
    if tap.kind is TapKind.TAP_OUT:
        return tap_out(tariff, tap.identity, state, tap.at, tap.place)
    return decide(tariff, tap.identity, state, tap.at, tap.place, companion=tap.companion)


def split(steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps that belong to the ride before (a tap-out that never came, with its caps), and the tap's own."""
    codes = [step.code for step in steps]
    if _UNFINISHED not in codes:
        return (), steps
    first = codes.index(_UNFINISHED)
    end = first + 1
    while end < len(codes) and codes[end] in _CAPS:
        end += 1
    return steps[first:end], steps[:first] + steps[end:]


def _reason(done: FareDecision) -> str:
    """The code that best says why: the last rule that moved money."""
    moved = [step.code for step in done.steps if step.amount]
    return moved[-1] if moved else done.rules[-1]
