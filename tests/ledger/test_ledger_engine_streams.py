"""What the engine remembers of the counters of cards and terminals: enough to say for certain that a number is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.engine import Engine
from ledger.transfer import Freshness
from tests.ledger.applied import outcomes_of, rows
from tests.ledger.batches import STEPS, batches
from tests.ledger.entries import OPERATOR, WALLET, transfer, unjitted
from tests.ledger.model import Model

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[np.void]


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=20, max_size=40))
def test_law_03_a_streams_memory_is_exact_for_its_last_64_counters(steps: list[int]) -> None:
    engines, model, counter = (Engine(), Engine(unjitted())), Model(), 70
    for step in steps:
        counter = max(1, model.highest.get(0x04A1, counter) + step)
        batch = rows(transfer(uid=0x04A1, tmc=counter))
        expected = model.apply(batch)
        assert [outcomes_of(engine, batch) for engine in engines] == [expected, expected]


@settings(max_examples=60, deadline=None)
@given(batches(), st.lists(st.tuples(*(st.integers(0, 200),) * 2), max_size=20))
def test_law_03_columns_of_identities_are_as_fresh_as_each_alone(
    made: list[Rows], asked: list[tuple[int, int]]
) -> None:
    engine, model = Engine(), Model()
    for batch in made:
        engine.apply(batch)
        model.apply(batch)
    asked = [(tmc, sequence) for one in asked for tmc, sequence in (one, (one[0], 0))]
    uids = np.array([(0, 0x04A1, 0x04A2, 0x04A3)[at % 4] for at in range(len(asked))], np.int64)
    terminals = np.array([(0, 1001, 1002)[at % 3] for at in range(len(asked))], np.int64)
    tmcs, sequences = (np.array([one[at] for one in asked], np.int64) for at in (0, 1))
    found = engine.freshness_of(uids, tmcs, terminals, sequences).tolist()
    alone = [
        max(model.fresh(uid, tmc), model.fresh(-terminal, sequence))
        for uid, tmc, terminal, sequence in zip(
            *(column.tolist() for column in (uids, tmcs, terminals, sequences)), strict=True
        )
    ]
    assert found == alone


def test_law_03_a_counter_once_posted_is_never_called_fresh_again() -> None:
    engine = Engine()
    for tmc in (5, 70, 69, 6, 134, 7):
        engine.apply(rows(transfer(uid=0x04AABBCCDD0102, tmc=tmc)))
    said = {tmc: engine.freshness(uid=0x04AABBCCDD0102, tmc=tmc) for tmc in (5, 6, 7, 69, 70, 71, 134, 135)}
    assert said == {
        5: Freshness.TOO_OLD,
        6: Freshness.TOO_OLD,
        7: Freshness.TOO_OLD,
        69: Freshness.TOO_OLD,
        70: Freshness.TOO_OLD,
        71: Freshness.FRESH,
        134: Freshness.SEEN,
        135: Freshness.FRESH,
    }


def test_a_card_and_a_terminal_of_one_number_are_two_streams() -> None:
    engine = Engine()
    engine.apply(rows(transfer(uid=1001, tmc=5)))
    assert engine.freshness(terminal=1001, sequence=5) is Freshness.FRESH
    assert engine.freshness(uid=1001, tmc=5) is Freshness.SEEN


def test_a_refused_transfer_leaves_no_memory() -> None:
    engine = Engine()
    engine.apply(rows(transfer(WALLET, OPERATOR, 5, uid=9, tmc=1)))
    assert engine.freshness(uid=9, tmc=1) is Freshness.FRESH
