"""Streams: the counters of a card or a terminal, of which the last 64 are remembered exactly (law 3).

A stream is named by a card's UID, or by a terminal's number with a minus sign; 0 is no stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ledger.compiled import compiled, inlined
from ledger.places import row_of
from ledger.transfer import Freshness

# Columns of a stream, after its name: the highest counter posted, and which of the 64 counters up to it were (none yet: 0).
HIGHEST, BITMAP = 1, 2
STREAM_WIDTH = 3
WINDOW = 64
FRESH, SEEN, TOO_OLD = int(Freshness.FRESH), int(Freshness.SEEN), int(Freshness.TOO_OLD)


@inlined
def freshness_of(streams: Any, at: Any, counter: Any) -> Any:
    """Whether a counter of the stream in a row was posted before: FRESH is certain, SEEN and TOO_OLD are candidates."""
    if at == 0 or streams[at, BITMAP] == 0 or counter > streams[at, HIGHEST]:
        return FRESH
    age = streams[at, HIGHEST] - counter
    if age >= WINDOW:
        return TOO_OLD
    return SEEN if (streams[at, BITMAP] >> age) & 1 else FRESH


@inlined
def mark(streams: Any, at: Any, counter: Any) -> None:
    """Remember a posted counter of the stream in a row."""
    if at == 0:
        return
    ahead = counter - streams[at, HIGHEST]
    if streams[at, BITMAP] == 0:
        streams[at, HIGHEST] = counter
        streams[at, BITMAP] = 1
    elif ahead > 0:
        streams[at, BITMAP] = (streams[at, BITMAP] << ahead) | 1 if ahead < WINDOW else 1
        streams[at, HIGHEST] = counter
    elif -ahead < WINDOW:
        streams[at, BITMAP] |= np.int64(1) << -ahead


@compiled
def freshness_of_all(index: Any, streams: Any, names: Any, counters: Any, freshness: Any) -> None:
    """The same for columns of stream names and counters; the worse of what `freshness` holds and what is found."""
    for at in range(len(names)):
        if names[at]:
            found = freshness_of(streams, row_of(index, streams, names[at]), counters[at])
            freshness[at] = max(freshness[at], found)
