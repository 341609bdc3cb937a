"""Transfers as rows, and what an engine makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import UnixMs
from ledger import journal
from ledger.transfer import Freshness, Result
from tests.ledger.entries import DAY
from tests.ledger.model import Outcome

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ledger.engine import Engine
    from ledger.transfer import Transfer

    Rows = npt.NDArray[np.void]


def rows(*transfers: Transfer) -> Rows:
    return journal.rows_of(transfers, UnixMs(1_700_000_000_000), DAY)


def results(engine: Engine, *transfers: Transfer) -> list[Result]:
    return [Result(result) for result in engine.apply(rows(*transfers)).results.tolist()]


def outcomes_of(engine: Engine, batch: Rows) -> list[Outcome]:
    applied = engine.apply(batch)
    return [
        Outcome(Result(result), position, Freshness(fresh), Result(overruled), tuple(balances))
        for result, position, fresh, overruled, balances in zip(
            *(column.tolist() for column in applied), strict=True
        )
    ]
