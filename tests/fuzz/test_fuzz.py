"""Every decoder of the table under fire: what its writers make it takes, and whatever else comes it refuses in its own words, soon and with bounded memory.

Some inputs a decoder here, the same at each run; `HEBAT_LONG=1` many, others each time; `./run fuzz` without end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import warnings
from typing import Final

import pytest

from tests.fuzz.table import DECODERS
from tests.fuzz.trial import Broken, Decoder, tried
from tests.fuzz.worker import inputs, slug

LONG: Final = bool(os.environ.get("HEBAT_LONG"))
INPUTS: Final = 20_000 if LONG else 100
SLOW_INPUTS: Final = 2_000 if LONG else 20


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda one: slug(one.name))
def test_what_writers_make_is_taken_and_whatever_else_comes_is_taken_or_refused_in_its_own_words(
    decoder: Decoder,
) -> None:
    seeds = list(decoder.seeds())
    assert seeds
    # Drawn by plain dice: hypothesis costs a hundred times what most decoders do.
    dice = random.Random() if LONG else random.Random(decoder.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):
            decoder.decode(seeds[0])  # what is compiled or loaded at the first use is not the input's time
        assert all(tried(decoder, seed) for seed in seeds) or not decoder.taken
        for data in itertools.islice(inputs(decoder, seeds, dice), SLOW_INPUTS if decoder.slow else INPUTS):
            try:
                tried(decoder, data)
            except Broken as error:
                pytest.fail(f"{error}\n{data.hex()}")
