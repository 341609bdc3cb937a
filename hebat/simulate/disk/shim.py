"""SQLite's file operations led through volumes: its "unix" VFS, with writes, cuts, syncs and deletions asked of a volume first.

SQLite's own interface for this (sqlite.org/vfs.html), registered as the default of this process by ctypes, so that the module `sqlite3` and
everything above it run unchanged. Syncs do not reach the real disk: a simulated machine never needs them.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import gc
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hebat.simulate.disk.volume import Content, Said, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

_IOERR_WRITE: Final = 10 | 3 << 8
_IOERR_FSYNC: Final = 10 | 4 << 8
_IOERR_DELETE: Final = 10 | 10 << 8
_FULL: Final = 13

_pointer, _int, _long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_XOPEN = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _pointer, _int, _pointer)
_XDELETE = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _int)
_XRANDOM = ctypes.CFUNCTYPE(_int, _pointer, _int, _pointer)
_XWRITE = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _int, _long)
_XTRUNCATE = ctypes.CFUNCTYPE(_int, _pointer, _long)
_XSYNC = ctypes.CFUNCTYPE(_int, _pointer, _int)
_XCLOSE = ctypes.CFUNCTYPE(_int, _pointer)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3 (sqlite3.h)."""

    _fields_ = (
        ("iVersion", _int), ("szOsFile", _int), ("mxPathname", _int), ("pNext", _pointer), ("zName", ctypes.c_char_p),
        ("pAppData", _pointer), ("xOpen", _pointer), ("xDelete", _pointer), ("xAccess", _pointer),
        ("xFullPathname", _pointer), ("xDlOpen", _pointer), ("xDlError", _pointer), ("xDlSym", _pointer),
        ("xDlClose", _pointer), ("xRandomness", _pointer), ("xSleep", _pointer), ("xCurrentTime", _pointer),
        ("xGetLastError", _pointer), ("xCurrentTimeInt64", _pointer), ("xSetSystemCall", _pointer),
        ("xGetSystemCall", _pointer), ("xNextSystemCall", _pointer),
    )  # fmt: skip


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3 (sqlite3.h)."""

    _fields_ = (
        ("iVersion", _int), ("xClose", _pointer), ("xRead", _pointer), ("xWrite", _pointer), ("xTruncate", _pointer),
        ("xSync", _pointer), ("xFileSize", _pointer), ("xLock", _pointer), ("xUnlock", _pointer),
        ("xCheckReservedLock", _pointer), ("xFileControl", _pointer), ("xSectorSize", _pointer),
        ("xDeviceCharacteristics", _pointer), ("xShmMap", _pointer), ("xShmLock", _pointer), ("xShmBarrier", _pointer),
        ("xShmUnmap", _pointer), ("xFetch", _pointer), ("xUnfetch", _pointer),
    )  # fmt: skip


class _File(ctypes.Structure):
    """sqlite3_file: what each open file begins with."""

    _fields_ = (("pMethods", ctypes.POINTER(_Methods)),)


class Shim:
    """The VFS of this process. Made once and never freed: connections may outlive whoever opened them."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._library = library
        self._unix = library.sqlite3_vfs_find(None)
        self._volumes: list[Volume] = []
        self._open: dict[int, tuple[Volume, str]] = {}
        self._tables: dict[int, tuple[_Methods, _Methods]] = {}
        self._of_file: dict[int, _Methods] = {}
        self.draw: Callable[[int], bytes] = bytes
        self._kept: list[Any] = [
            _XOPEN(self._x_open), _XDELETE(self._x_delete), _XRANDOM(self._x_randomness), _XWRITE(self._x_write),
            _XTRUNCATE(self._x_truncate), _XSYNC(self._x_sync), _XCLOSE(self._x_close),
        ]  # fmt: skip
        self._vfs = _Vfs.from_buffer_copy(self._unix.contents)
        self._vfs.zName = b"hebat-simulated"
        self._vfs.pNext = None
        self._vfs.xOpen, self._vfs.xDelete, self._vfs.xRandomness = map(_address, self._kept[:3])
        self._original_open = _XOPEN(self._unix.contents.xOpen)
        self._original_delete = _XDELETE(self._unix.contents.xDelete)

    @classmethod
    @cache
    def of_process(cls) -> Shim:
        """The one of this process."""
        return cls()

    @contextmanager
    def installed(self, draw: Callable[[int], bytes]) -> Iterator[None]:
        """While the context lasts, files below volumes are theirs; SQLite's own random bytes (a log's salt) come from `draw`."""
        self.draw = draw
        self._library.sqlite3_randomness(0, None)  # begins anew with the next file
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        try:
            yield
        finally:
            self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
            self._library.sqlite3_vfs_register(self._unix, 1)
            self._volumes.clear()

    def mount(self, volume: Volume) -> None:
        """Lead what SQLite does below a folder through a volume."""
        self._volumes.append(volume)

    def power_cut(self, volume: Volume, dice: Random) -> None:
        """Turn a machine off and on, once nothing of it is open any more."""
        self.need_closed(volume)
        for path, content in volume.power_cut(dice).items():
            Path(path).write_bytes(content)

    def need_closed(self, volume: Volume) -> None:
        """Raise RuntimeError where a file of a machine that is off is open still."""
        if any(one is volume for one, _ in self._open.values()):
            gc.collect()  # statements that only a traceback still holds
        left = [path for one, path in self._open.values() if one is volume]
        if left:
            raise RuntimeError(f"open still: {left}")

    def _volume_of(self, path: str) -> Volume | None:
        mine = [one for one in self._volumes if path.startswith(f"{one.folder}/")]
        return max(mine, key=lambda one: len(one.folder), default=None)

    def _x_open(self, _vfs: int, name: int | None, file: int, flags: int, told: int | None) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        volume = self._volume_of(path) if path else None
        if volume is not None and path not in volume.files:
            there = Path(path)  # nobody has it open: to read it costs nobody a lock
            volume.files[path] = Content(bytearray(there.read_bytes() if there.exists() else b""))
        code: int = self._original_open(ctypes.addressof(self._unix.contents), name, file, flags, told)
        if code == 0 and volume is not None:
            self._open[file] = (volume, path)
            self._lead(file)
        return code

    def _lead(self, file: int) -> None:
        """Put our own table of methods before a file."""
        handle = _File.from_address(file)
        before = ctypes.addressof(handle.pMethods.contents)
        if before not in self._tables:
            original = _Methods.from_address(before)
            ours = _Methods.from_buffer_copy(original)
            ours.xWrite, ours.xTruncate, ours.xSync, ours.xClose = map(_address, self._kept[3:])
            self._tables[before] = (original, ours)
        original, ours = self._tables[before]
        self._of_file[file] = original
        handle.pMethods = ctypes.pointer(ours)

    def _x_write(self, file: int, data: int, count: int, offset: int) -> int:
        volume, path = self._open[file]
        said = volume.write(path, offset, ctypes.string_at(data, count))
        if said is not Said.DONE:
            return _FULL if said is Said.FULL else _IOERR_WRITE
        return int(_XWRITE(self._of_file[file].xWrite)(file, data, count, offset))

    def _x_truncate(self, file: int, size: int) -> int:
        volume, path = self._open[file]
        if volume.write(path, size, None) is not Said.DONE:
            return _IOERR_WRITE
        return int(_XTRUNCATE(self._of_file[file].xTruncate)(file, size))

    def _x_sync(self, file: int, _flags: int) -> int:
        volume, path = self._open[file]
        return 0 if volume.sync(path) is Said.DONE else _IOERR_FSYNC

    def _x_close(self, file: int) -> int:
        self._open.pop(file, None)
        original = self._of_file.pop(file)
        return int(_XCLOSE(original.xClose)(file))

    def _x_delete(self, _vfs: int, name: int, sync: int) -> int:
        path = ctypes.string_at(name).decode()
        volume = self._volume_of(path)
        if volume is not None and volume.delete(path) is not Said.DONE:
            return _IOERR_DELETE
        return int(self._original_delete(ctypes.addressof(self._unix.contents), name, sync))

    def _x_randomness(self, _vfs: int, count: int, out: int) -> int:
        ctypes.memmove(out, self.draw(count), count)
        return count


def _address(function: Any) -> int | None:
    return ctypes.cast(function, _pointer).value
