"""When batches fall due: at times of their own, whatever the server does (an open loop), as calls of many independent terminals do."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def due(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Seconds from the step's beginning at which batches fall due: a Poisson process of so many a second."""
    dice = random.Random(seed)  # noqa: S311  dice of a rehearsal
    gaps = (dice.expovariate(rate) for _ in itertools.repeat(None))
    return itertools.takewhile(lambda at: at < seconds, itertools.accumulate(gaps))
