"""A million taps in a ledger: made once for the benchmarks of proofs, statements and exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hebat.schema import TABLES
from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.bulk import store as bulk
from ledger.chart import Code, Partition, account_id, partition_of
from ledger.intake import tables as intake
from ledger.transfer import ROW

if TYPE_CHECKING:
    import numpy.typing as npt

    from ledger.chart import AccountId

    Rows = npt.NDArray[np.void]

TAPS: Final = 1_000_000
CARDS: Final = 100_000
BATCH: Final = 20_000
FIRST: Final = 936_000_090_000_000
HOT: Final = account_id(Code.OPERATOR_PAYABLE, Partition(7), 12)
"""An operator's sub-account: a sixty-fourth of all taps."""


def card(number: int) -> AccountId:
    """The purse of a card."""
    return account_id(Code.PURSE, partition_of(FIRST + number), FIRST + number)


def fares(first: int, count: int) -> Rows:
    """Fares of many cards, each ten in all, to one operator."""
    numbers = (np.arange(first, first + count) * 7919) % CARDS
    rows = np.zeros(count, ROW)
    partitions = np.array([partition_of(FIRST + number) for number in numbers.tolist()])
    rows["debit"] = (int(Code.PURSE) << 56) | (partitions << 50) | (FIRST + numbers)
    rows["credit"] = (int(Code.OPERATOR_PAYABLE) << 56) | (partitions << 50) | 12
    rows["amount"], rows["kind"], rows["occurred_at"], rows["service_day"] = (
        350_000,
        1,
        1_790_000_000_000,
        20_254,
    )
    rows["uid"], rows["tmc"] = 0x04A1_0000_0000_00 + numbers, np.arange(first, first + count) // CARDS + 1
    rows["terminal"], rows["sequence"] = 1001, np.arange(first, first + count) + 1
    return rows


def taps_of(rows: Rows) -> dict[str, Any]:
    """The taps' table for such fares, as columns."""
    count = len(rows)
    return {
        "partition": (rows["debit"] >> 50) & 63, "uid": rows["uid"], "tmc": rows["tmc"], "identity": [bytes(32)] * count,
        "terminal": rows["terminal"], "sequence": rows["sequence"], "kind": np.ones(count, np.int64),
        "amount": -rows["amount"], "balance_after": np.full(count, 5_000_000), "position": rows["position"],
        "occurred_at": rows["occurred_at"], "service_day": rows["service_day"], "business_date": rows["business_date"],
        "route": ["1"] * count, "stop": ["Simpang Lima"] * count, "rules": [""] * count, "seen_tmv": [bytes(8)] * count,
    }  # fmt: skip


def fill(url: str, taps: int = TAPS) -> None:
    """Post them, close their business date, and put them into the taps' table."""
    with Ledger.open(Ledger.create(url, *TABLES), SystemClock()) as ledger:
        for start in range(0, taps, BATCH):
            ledger.writer.submit(Ledger.columns(fares(start, min(BATCH, taps - start)))).result()
        ledger.close_window(ledger.open_window())
        for rows in ledger.row_chunks():
            with ledger.database.writing() as connection:
                bulk.write(connection, intake.taps, [bulk.spread(intake.taps, taps_of(rows))])
