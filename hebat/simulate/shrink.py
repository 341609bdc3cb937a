"""Make a failing run shorter: leave out faults and events, in ever smaller pieces, for as long as the same law still breaks.

Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): first the faults, then the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hebat.simulate.plan import Plan
    from hebat.simulate.run import Done

TRIES_MAX: Final = 120
"""Runs that a shrinking may cost."""


class Shrinker:
    """Shrinks one failing plan; `run` plays a plan."""

    def __init__(self, failed: Done, run: Callable[[Plan], Done], tries: int = TRIES_MAX) -> None:
        self._run = run
        self._law = failed.failure.law if failed.failure else -1
        self.best = failed
        self.tries = tries

    def shrunk(self) -> Done:
        """The shortest run found that breaks the same law."""
        self._cut_behind()
        plan = self.best.plan
        faults = [one.number for one in plan.events if one.fault is not None]
        events = [one.number for one in plan.events]
        faults = self._less(faults, lambda kept: plan.only(events, kept))
        self._less(events, lambda kept: plan.only(kept, faults))
        return self.best

    def _cut_behind(self) -> None:
        """What comes behind the step at which it broke is not needed."""
        failure, plan = self.best.failure, self.best.plan
        if failure is not None and failure.step:
            kept = [one.number for one in plan.events if one.number <= failure.step]
            self._fails(plan.only(kept, kept))

    def _fails(self, plan: Plan) -> bool:
        """Whether a plan breaks the same law; the shortest that does is kept."""
        self.tries -= 1
        done = self._run(plan)
        if done.failure is None or done.failure.law != self._law:
            return False
        self.best = done
        return True

    def _less(self, numbers: Sequence[int], made: Callable[[list[int]], Plan]) -> list[int]:
        """As few of these numbers as still make it fail (ddmin, complements only)."""
        kept, pieces = list(numbers), 2
        if kept and self.tries > 0 and self._fails(made([])):
            return []
        while len(kept) > 1 and self.tries > 0:
            size = -(-len(kept) // pieces)
            for start in range(0, len(kept), size):
                fewer = kept[:start] + kept[start + size :]
                if self.tries > 0 and self._fails(made(fewer)):
                    kept, pieces = fewer, max(2, pieces - 1)
                    break
            else:
                if size == 1:
                    break
                pieces = min(len(kept), 2 * pieces)
        return kept
