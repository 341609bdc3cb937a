"""Journal rows as other programs hold them: Python tuples of a database driver, and a plain table of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

_NAMES: Final = ROW.names or ()
_BEYOND: Final = 1 << 63


def rows_from(tuples: Sequence[Sequence[object]]) -> Rows:
    """Rows (ROW) from a driver's tuples.

    Raises DatabaseDamaged where a value is anything but a 64-bit integer: SQLite would keep text in an integer's column.
    """
    if not tuples:
        return np.zeros(0, ROW)
    try:
        found = np.array(tuples)
    except (ValueError, OverflowError):
        found = np.zeros(0, object)
    if found.dtype != np.int64 or found.shape != (len(tuples), len(_NAMES)):
        raise DatabaseDamaged(
            f"{_odd_place(tuples)} holds no 64-bit integer: restore the database from backup"
        )
    return np.ascontiguousarray(found).view(ROW).reshape(-1)


def _odd_place(tuples: Sequence[Sequence[object]]) -> str:
    at = _NAMES.index("position")
    for row in tuples:
        for name, value in zip(_NAMES, row, strict=True):
            if type(value) is not int or not -_BEYOND <= value < _BEYOND:
                return f"column {name} of position {row[at]!r} (partition {row[0]!r})"
    return "a transfer"


def table_of(rows: Rows) -> npt.NDArray[np.int64]:
    """Rows (ROW) as a table (rows, 16) of 64-bit integers."""
    return np.ascontiguousarray(rows).view(np.int64).reshape(-1, len(_NAMES))
