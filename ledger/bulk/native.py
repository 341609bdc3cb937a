"""Inserting integers into SQLite without a Python object for each: the library behind `sqlite3`, driven by a compiled loop.

`sqlite3.executemany` makes sixteen integers and a tuple a row, and takes the interpreter's lock at each; both cost more than SQLite
does. Here the loop binds and steps a prepared statement with the lock released. The handle of a connection is had by SQLite's own
documented way, an automatic extension that is told of each connection as it opens (`sqlite3_auto_extension`). Where the library
cannot be reached, as in a Python that has it linked in unseen, `Native.find` gives None and `executemany` does the work.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from llvmlite import binding
from numba import njit, types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

_DONE: Final = 101
_PERSISTENT: Final = 1
_ROW: Final = 100
_INTEGER: Final = 1
_CALLED: Final = (
    "sqlite3_bind_int64",
    "sqlite3_step",
    "sqlite3_reset",
    "sqlite3_column_type",
    "sqlite3_column_int64",
)
_ALSO: Final = (
    "sqlite3_auto_extension",
    "sqlite3_cancel_auto_extension",
    "sqlite3_prepare_v3",
    "sqlite3_finalize",
    "sqlite3_errmsg",
)
_OPENED: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_ERRORS: Final[dict[int, type[sqlite3.DatabaseError]]] = {
    11: sqlite3.DatabaseError,  # SQLITE_CORRUPT
    19: sqlite3.IntegrityError,  # SQLITE_CONSTRAINT
    26: sqlite3.DatabaseError,  # SQLITE_NOTADB
}
"""SQLite's primary result codes whose errors are not OperationalError, as the module `sqlite3` maps them."""

_T: Final[Any] = types  # as Any: its own annotations are only partly there
_bind: Final = _T.ExternalFunction(_CALLED[0], _T.int32(_T.intp, _T.int32, _T.int64))
_step: Final = _T.ExternalFunction(_CALLED[1], _T.int32(_T.intp))
_reset: Final = _T.ExternalFunction(_CALLED[2], _T.int32(_T.intp))
_type: Final = _T.ExternalFunction(_CALLED[3], _T.int32(_T.intp, _T.int32))
_value: Final = _T.ExternalFunction(_CALLED[4], _T.int64(_T.intp, _T.int32))


@njit(cache=True, nogil=True)
def _insert(statement: Any, table: Any) -> Any:
    """Run a prepared statement once a row: 0, or the result code of the row that failed."""
    rows, columns = table.shape
    for row in range(rows):
        for column in range(columns):
            _bind(statement, column + 1, table[row, column])
        code = _step(statement)
        if code != _DONE:
            _reset(statement)
            return code
        _reset(statement)
    return 0


@njit(cache=True, nogil=True)
def _select(statement: Any, table: Any) -> Any:
    """Fill a table from a prepared statement: (result code, rows), or (-1, row) where a value is no integer or there is no room."""
    rows, columns = table.shape
    row = 0
    code = _step(statement)
    while code == _ROW:
        if row == rows:
            return -1, row
        for column in range(columns):
            if _type(statement, column) != _INTEGER:
                return -1, row
            table[row, column] = _value(statement, column)
        row += 1
        code = _step(statement)
    return code, row


class Native:
    """The SQLite library of this process."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.sqlite3_errmsg.restype = ctypes.c_char_p
        for name in _CALLED:
            binding.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
        self._opening = threading.local()
        # Registered once and never taken back: another thread may be in the middle of calling it.
        self._told = _OPENED(self._note)
        library.sqlite3_auto_extension(self._told)

    @classmethod
    @cache
    def find(cls) -> Self | None:
        """The library that the module `sqlite3` uses; None where it cannot be reached."""
        try:
            library = ctypes.CDLL(_sqlite3.__file__)
            for name in (*_CALLED, *_ALSO):
                getattr(library, name)
        except (AttributeError, OSError):
            return None
        return cls(library)

    def connect(self, open_: Callable[[], Any]) -> tuple[Any, int]:
        """What `open_` opens, and the handle of the one connection that it made; 0 where it did not show itself."""
        handles = self._opening.handles = list[int]()
        try:
            connection = open_()
        finally:
            self._opening.handles = None
        return connection, handles[0] if len(handles) == 1 else 0

    def _note(self, handle: int, _error: int, _routines: int) -> int:
        """SQLite tells of each connection of this process; those that other threads open are theirs to note."""
        handles: list[int] | None = getattr(self._opening, "handles", None)
        if handles is not None:
            handles.append(handle)
        return 0

    def insert(self, handle: int, statement: str, table: npt.NDArray[np.int64]) -> None:
        """Run an INSERT with a parameter a column for every row of a table; raises the errors of `sqlite3`."""
        with self._prepared(handle, statement) as prepared:
            self._check(handle, int(_insert(prepared, table)))

    def select(
        self, handle: int, statement: str, columns: int, rows_max: int
    ) -> npt.NDArray[np.int64] | None:
        """What a SELECT of integers gives, a row each; None where a value is none, or there are more rows than that."""
        table = np.empty((rows_max, columns), np.int64)
        with self._prepared(handle, statement) as prepared:
            code, rows = _select(prepared, table)
            if code >= 0 and code != _DONE:
                self._check(handle, int(code))
        return table[:rows] if code == _DONE else None

    @contextmanager
    def _prepared(self, handle: int, statement: str) -> Iterator[int | None]:
        prepared = ctypes.c_void_p()
        code = self._library.sqlite3_prepare_v3(
            ctypes.c_void_p(handle), statement.encode(), -1, _PERSISTENT, ctypes.byref(prepared), None
        )
        try:
            self._check(handle, code)
            yield prepared.value
        finally:
            self._library.sqlite3_finalize(prepared)

    def _check(self, handle: int, code: int) -> None:
        if code:
            said = self._library.sqlite3_errmsg(ctypes.c_void_p(handle)).decode()
            raise _ERRORS.get(code & 0xFF, sqlite3.OperationalError)(said)
