"""From rate to rate until the server does not keep up; then twice the last one that it bore and more, until it sheds load; then half of it, to see it recover."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from hebat.errors import BatchesSpent, InputRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.load.driving import Step

GROWTH: Final = 1.5
OVER: Final = 2.0
AFTER: Final = 0.5
OVERLOADS_MAX: Final = 5
STEPS_MAX: Final = 40
MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Terms:
    """Where the ladder begins (batches a second), seconds a step, and within how many seconds 99 of 100 batches are to be answered."""

    first: float = 20.0
    seconds: float = 5.0
    within: float = 1.0


class Driver(Protocol):
    """What lets batches fall due: `driving.Fleet`."""

    async def drive(self, rate: float, seconds: float, seed: int) -> Step:
        """One step."""


@dataclass(frozen=True, slots=True)
class Found:
    """The ladder, its last step that was borne (None: not even the first), the overloads behind it up to one that was shed, and what came after.

    `short` says what was missing where the batches did not suffice to the end; what was seen until then holds.
    """

    terms: Terms
    ladder: tuple[Step, ...]
    knee: Step | None
    beyond: tuple[Step, ...] = ()
    after: Step | None = None
    short: str = ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        return (*self.ladder, *self.beyond, *([] if self.after is None else [self.after]))

    @property
    def sheds(self) -> bool:
        """Whether the server, asked for more than it bears, sent callers away with a time to come back, and answered all of them in the end."""
        shed = [one for one in self.beyond if one.shed]
        return bool(shed) and all(one.told_when == one.shed and _whole(one) for one in shed)

    @property
    def recovers(self) -> bool:
        """Whether the rate behind the overload was borne as if nothing had been."""
        return self.after is not None and borne(self.after, self.terms)

    def lost(self, posted: float) -> float:
        """Taps that terminals were told are in the books, less those that the server says it posted: 0, or a law is broken."""
        return sum(step.taps for step in self.steps) - posted


def _whole(step: Step) -> bool:
    return step.answered == step.due and not step.refused


def borne(step: Step, terms: Terms) -> bool:
    """Whether a rate was kept up with: all answered, nobody sent away, and 99 of 100 soon enough."""
    return _whole(step) and step.latency.percentile(99) <= terms.within and not step.shed


async def climb(driver: Driver, terms: Terms, told: Callable[[Step], object] = lambda _: None) -> Found:
    """Find the knee and look beyond it; `told` hears of each step. Raises InputRefused where the server bears every rate.

    A rate that was not borne is tried once more, for the machine may have done something else for a moment.
    """
    steps = _Steps(driver, terms, told)
    try:
        await steps.climb()
        await steps.look_beyond()
    except BatchesSpent as short:
        return steps.found(str(short))
    return steps.found()


@dataclass(slots=True)
class _Steps:
    """The steps so far: rates that grow, those beyond the knee, the one after them."""

    driver: Driver
    terms: Terms
    told: Callable[[Step], object]
    ladder: list[Step] = field(default_factory=list)
    knee: Step | None = None
    beyond: list[Step] = field(default_factory=list)
    after: Step | None = None

    async def climb(self) -> None:
        rate = self.terms.first
        while await self._bears(rate) or await self._bears(rate):
            rate *= GROWTH
            if len(self.ladder) >= STEPS_MAX:
                raise InputRefused("the server bore every rate: begin with a higher one (--from)")

    async def look_beyond(self) -> None:
        if self.knee is None:
            return
        for power in range(1, OVERLOADS_MAX + 1):
            self.beyond.append(await self._driven(self.knee.rate * OVER**power))
            if self.beyond[-1].shed:
                break
        self.after = await self._driven(self.knee.rate * AFTER)

    def found(self, short: str = "") -> Found:
        return Found(self.terms, tuple(self.ladder), self.knee, tuple(self.beyond), self.after, short)

    async def _bears(self, rate: float) -> bool:
        self.ladder.append(await self._driven(rate))
        if borne(self.ladder[-1], self.terms):
            self.knee = self.ladder[-1]
        return self.knee is self.ladder[-1]

    async def _driven(self, rate: float) -> Step:
        step = await self.driver.drive(rate, self.terms.seconds, len(self.ladder) + len(self.beyond))
        self.told(step)
        return step


def row(step: Step) -> dict[str, Any]:
    """A step's figures for machines: rates a second, latencies in milliseconds."""
    spans = {"latency": step.latency, "served": step.served}
    return {
        "rate": round(step.rate, 1), "seconds": step.seconds, "due": step.due, "answered": step.answered,
        "taps": step.taps, "posted": step.posted, "repeated": step.repeated, "shed": step.shed, "told_when": step.told_when, "cut": step.cut,
        "refused": step.refused[:3], "answered_a_second": round(step.answered / max(step.ended, 1e-9), 1),
        "taps_a_second": round(step.taps / max(step.ended, 1e-9)), "ended": round(step.ended, 2),
        **{
            f"{name}_ms": {f"p{share}": round(MS * span.percentile(share), 2) for share in (50, 90, 99)} | {"max": round(MS * span.slowest, 2)}
            for name, span in spans.items()
        },
    }  # fmt: skip
