"""The transfers of a batch in the order of its records, whichever way each was decided; and back: which result belongs to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ledger import journal
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from ledger.intake.entries import Entry
    from ledger.transaction import PostedRows
    from ledger.transfer import Transfer

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]


class Told(NamedTuple):
    """What became of the transfers: of plain records by columns (`at` are their rows of `posted`), of each entry by itself."""

    posted: PostedRows
    at: Integers
    records: Integers
    entries: list[PostedRows]


class Placed:
    """`rows` are what the writer gets."""

    def __init__(
        self, plain: Rows, records: Integers, entries: Sequence[Entry], given_back: Sequence[Transfer]
    ) -> None:
        self._records = records
        self._counts = [len(entry.transfers) for entry in entries]
        if not entries and not given_back:
            self.rows, self._where = plain, np.arange(len(plain))
            return
        listed = [transfer for entry in entries for transfer in entry.transfers]
        behind = [entry.place for entry in entries for _ in entry.transfers]
        last = 1 + max([*records.tolist(), *behind], default=0)
        places = np.array([*records.tolist(), *behind, *(last for _ in given_back)], np.int64)
        order = np.argsort(places, kind="stable")
        rows = np.concatenate([plain, journal.listed([*listed, *given_back]), np.zeros(0, ROW)])
        self.rows = rows[order]
        self._where = np.empty(len(order), np.int64)
        self._where[order] = np.arange(len(order))

    def told(self, posted: PostedRows) -> Told:
        """The writer's answer, taken apart."""
        plain = len(self._records)
        entries, at = [], plain
        for count in self._counts:
            start = int(self._where[at]) if count else 0
            entries.append(posted[start : start + count])
            at += count
        return Told(posted, self._where[:plain], self._records, entries)
