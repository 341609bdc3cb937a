"""What settling a window asks of its rows, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]


class Moves(NamedTuple):
    """Seven columns of the journal, a value each row; `ledger.transfer.ROW` says what they mean."""

    position: Integers
    debit: Integers
    credit: Integers
    amount: Integers
    kind: Integers
    flags: Integers
    service_day: Integers

    @classmethod
    def of_table(cls, table: Integers) -> Self:
        """From a table (rows, 7): each column laid out for itself, so that it is read through once."""
        return cls(*np.ascontiguousarray(table.T))

    @classmethod
    def of_rows(cls, rows: npt.NDArray[np.void]) -> Self:
        """From rows (ROW)."""
        return cls(*(np.ascontiguousarray(rows[name]) for name in cls._fields))


COLUMNS: Final = Moves._fields
