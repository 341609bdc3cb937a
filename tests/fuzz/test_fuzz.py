"""Every decoder of the table under fire: what its writers make it takes, and whatever else comes it refuses in its own words, soon and with bounded memory.

A few inputs a decoder here; `HEBAT_LONG=1` many, `./run fuzz` without end.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import mutate
from tests.fuzz.mutate import Change
from tests.fuzz.table import DECODERS
from tests.fuzz.trial import Decoder, tried
from tests.fuzz.worker import slug

LONG: Final = bool(os.environ.get("HEBAT_LONG"))
EXAMPLES: Final = 20_000 if LONG else 40
SLOW_EXAMPLES: Final = 2_000 if LONG else 10
NUMBERS: Final = st.integers(0, (1 << mutate.NUMBER_BITS) - 1)
CHANGES: Final = st.lists(st.builds(Change, st.integers(0, 31), NUMBERS, NUMBERS), min_size=1, max_size=6)
VALUES: Final = {"cbor": mutate.of_cbor, "json": mutate.of_json}


def made(decoder: Decoder, seeds: list[bytes], at: int, changes: list[Change], *, values: bool) -> bytes:
    """An input out of one of the seeds."""
    seed = seeds[at % len(seeds)]
    if values and decoder.encoding:
        try:
            return VALUES[decoder.encoding](seed, changes)
        except (ValueError, TypeError, OverflowError):
            return seed  # a value that has no encoding
    return mutate.changed(seed, changes, seeds)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda one: slug(one.name))
def test_what_writers_make_is_taken_and_whatever_else_comes_is_taken_or_refused_in_its_own_words(
    decoder: Decoder,
) -> None:
    seeds = list(decoder.seeds())
    assert seeds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):
            decoder.decode(seeds[0])  # what is compiled or loaded at the first use is not the input's time
        assert all(tried(decoder, seed) for seed in seeds) or not decoder.taken

        @settings(
            max_examples=SLOW_EXAMPLES if decoder.slow else EXAMPLES,
            deadline=None,
            database=None,
            derandomize=not LONG,  # the same inputs at each run: what chance finds beyond them is the work of `./run fuzz`
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(0, 99), CHANGES, st.booleans())
        def whatever_comes(at: int, changes: list[Change], values: bool) -> None:
            tried(decoder, made(decoder, seeds, at, changes, values=values))

        whatever_comes()
