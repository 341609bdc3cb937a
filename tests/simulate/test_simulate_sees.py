"""The simulator can see: the real code broken in one place, many times over, and each time a law breaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hebat.simulate.commands import as_line, replay, sentence
from hebat.simulate.planning import make_plan
from hebat.simulate.run import Done, run
from hebat.simulate.shrink import Shrinker
from tests.simulate import variants_ledger, variants_money, variants_terminals
from tests.simulate.seeds import SEEDS
from tests.simulate.variants import VARIANTS, Broken

if TYPE_CHECKING:
    from hebat.simulate.plan import Plan

TABLES = (variants_ledger, variants_money, variants_terminals)
SEEDS_MAX = 60
"""Seeds that may be needed to see a variant."""
LONG = "HEBAT_LONG" in os.environ
QUICK = (
    "an answer before the commit",
    "the Transaction MAC is not checked",
    "a commit that fails is answered as if it had not",
    "a known batch is taken for a new one",
    "a block forgets the one before it",
    "the chip's rupiah are entered as sen",
    "money goes through a float",
    "a start forgets what came after the newest snapshot",
    "the database does not sync its commits",
    "records leave the outbox before the ledger's receipt",
)
"""Those that every run of the tests looks for: the first seed shows them within a second."""


def seen(variant: Broken) -> tuple[int, Done]:
    """How many seeds it takes until a law breaks, and the run in which it does."""
    for count, seed in enumerate([*SEEDS, *range(1, SEEDS_MAX)], 1):
        done = run(make_plan(seed, 1), variant.made)
        if done.failure is not None:
            return count, done
    pytest.fail(f"nothing was seen of {variant.name!r} in {SEEDS_MAX} seeds")


def named(name: str) -> Broken:
    """A variant by its name."""
    return next(one for one in VARIANTS if one.name == name)


def test_there_are_enough_variants_and_the_quick_ones_are_among_them() -> None:
    assert {one.__name__ for one in TABLES} == {one.made.__module__ for one in VARIANTS}
    assert len(VARIANTS) >= 42
    assert {one.name for one in VARIANTS}.issuperset(QUICK)
    assert all(VARIANTS.count(one) == 1 for one in VARIANTS)


@pytest.mark.parametrize(
    "variant", [one for one in VARIANTS if LONG or one.name in QUICK], ids=lambda one: one.name
)
def test_a_broken_variant_is_seen(variant: Broken) -> None:
    count, done = seen(variant)
    failure = done.failure
    assert failure is not None
    told = f"{variant.name}: {count} seeds, law {failure.law} at step {failure.step}: {failure.detail}"
    print(told)  # noqa: T201  for whoever asks how many seeds each needed (-s)


def test_a_failure_is_made_shorter_and_says_how_to_play_it_again() -> None:
    variant = named("the Transaction MAC is not checked")

    def play(plan: Plan) -> Done:
        return run(plan, variant.made, heals=False)

    _, failed = seen(variant)
    shorter = Shrinker(failed, play, tries=25).shrunk()
    assert shorter.failure is not None
    assert failed.failure is not None
    assert shorter.failure.law == failed.failure.law
    assert len(shorter.plan.events) < failed.failure.step
    assert replay(shorter).startswith(f"./run simulate --seed {failed.plan.seed} --days 1 --events ")
    assert "a law broke" in sentence(shorter)
    again = play(shorter.plan)
    assert as_line(again) == as_line(shorter)
