"""Journal rows as other programs hold them: Python tuples of a database driver, and PostgreSQL's binary COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.bulk.binary import SIGNATURE, TRAILER
from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

_NAMES: Final = ROW.names or ()
_BEYOND: Final = 1 << 63
_FIELD: Final = [("length", ">i4"), ("value", ">i8")]
_TUPLE: Final = np.dtype([("fields", ">i2"), *((name, _FIELD) for name in _NAMES)])


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


def copy_bytes(rows: Rows) -> bytes:
    """Rows as the stream of `COPY transfers FROM STDIN (FORMAT BINARY)`.

    PostgreSQL documentation, COPY, "Binary Format": signature, then a field count and length-prefixed big-endian values a tuple,
    then -1 as the last field count.
    """
    out = np.zeros(len(rows), _TUPLE)
    out["fields"] = len(_NAMES)
    for name in _NAMES:
        out[name]["length"] = 8
        out[name]["value"] = rows[name]
    return SIGNATURE + out.tobytes() + TRAILER
