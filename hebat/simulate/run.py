"""One run: a plan, played to its end or to its first broken law, and what it came to."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hebat.simulate.breach import Breach
from hebat.simulate.foundation import foundation
from hebat.simulate.healing import heal
from hebat.simulate.play import play
from hebat.simulate.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from hebat.simulate.faults import Fault
    from hebat.simulate.plan import Plan

    Variant = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A law that broke: which, how, and at the event of which number (0: at the end, when everything was healed)."""

    step: int
    law: int
    detail: str


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to."""

    plan: Plan
    steps: int
    events: int
    taps: int
    rows: int
    digest: str
    covered: Counter[Fault] = field(default_factory=Counter)
    failure: Failure | None = None


def run(
    plan: Plan, variant: Variant = nullcontext, told: Callable[[str], object] = str, *, heals: bool = True
) -> Done:
    """Play a plan in a city of its own; within a `variant`, with the real code broken in one place. `told` hears each line of the trace.

    Without `heals` it ends with the last event: enough for a law that broke at one.
    """
    foundation()  # a variant is a fault of the city that runs, not of the one that was founded
    with variant(), World(plan.seed, told) as world:
        failure, steps = None, 0
        try:
            for event in plan.events:
                steps = event.number
                play(world, event)
            steps = 0
            if heals:
                heal(world)
        except Breach as broken:
            failure = Failure(steps, broken.law, broken.detail)
        return Done(
            plan, len(plan.events), world.events, world.taps, world.watch.books.rows, world.digest, world.covered, failure
        )  # fmt: skip
