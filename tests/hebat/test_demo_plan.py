"""The demo's plan: one seed, one day."""

from __future__ import annotations

from datetime import date

import pytest

from hebat.demo.plan import BUSES, CARDS_MIN, MERCHANTS, Action, Mishap, make_plan
from keys.clock import service_day

DAY = date(2026, 11, 18)


def test_the_same_seed_gives_the_same_day() -> None:
    assert make_plan(DAY, 7, 100) == make_plan(DAY, 7, 100)
    assert make_plan(DAY, 7, 100) != make_plan(DAY, 8, 100)


@pytest.mark.parametrize("seed", range(20))
def test_every_mishap_happens_and_nobody_taps_before_loading(seed: int) -> None:
    plan = make_plan(DAY, seed, CARDS_MIN)
    assert {event.mishap for event in plan.events} == set(Mishap)
    first = {event.card: event for event in reversed(plan.events)}
    assert all(first[card].action is Action.LOAD for card in range(CARDS_MIN) if card != 5)
    assert len({service_day(event.at) for event in plan.events}) == 1
    for event in plan.events:
        assert event.terminal < {Action.FARE: BUSES, Action.SALE: MERCHANTS, Action.LOAD: 1}[event.action]


def test_too_few_cards_are_refused() -> None:
    with pytest.raises(ValueError, match="20 to 20000 cards, not 19"):
        make_plan(DAY, 1, CARDS_MIN - 1)
