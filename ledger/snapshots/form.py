"""What a snapshot is as bytes: a header, then the engine's tables column by column; in compressed chunks, under one digest.

    8 bytes   KSHSNAP1: name and version of this form
    8 x i64   position, block, then rows and columns of accounts, of holds and of streams
    32 bytes  the digest of that block: which chain it belongs to
    columns   of accounts, holds and streams, little-endian 64-bit integers (`ledger.engine.Kept`)

A column changes slowly from row to row, so that columns shrink better than rows would.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

MAGIC: Final = b"KSHSNAP1"
_HEADER: Final = struct.Struct("<8s8q32s")
_CHUNK_BYTES: Final = 1 << 20
_LEVEL: Final = 1
"""zlib's quickest: most of the gain for a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an engine knew right after a block, whose digest is `head`."""

    kept: Kept
    block: int
    head: bytes


def encoded(snapshot: Snapshot) -> bytes:
    """A snapshot's bytes, not compressed yet."""
    tables = snapshot.kept[1:]
    shapes = [length for table in tables for length in table.shape]
    header = _HEADER.pack(MAGIC, snapshot.kept.position, snapshot.block, *shapes, snapshot.head)
    return b"".join([header, *(np.ascontiguousarray(table.T, "<i8").tobytes() for table in tables)])


def digest(bodies: Iterable[bytes]) -> bytes:
    """SHA-256 of a snapshot's chunks as they are stored: a compressed byte may change without changing what it unpacks to."""
    seen = hashlib.sha256()
    for body in bodies:
        seen.update(body)
    return seen.digest()


def chunks(octets: bytes) -> Iterator[bytes]:
    """The same bytes in compressed chunks, small enough that a commit with one of them keeps nobody waiting."""
    view = memoryview(octets)
    for start in range(0, len(octets), _CHUNK_BYTES):
        yield zlib.compress(view[start : start + _CHUNK_BYTES], _LEVEL)


def decoded(bodies: Iterable[bytes], expected: bytes) -> Snapshot:
    """A snapshot from its chunks; raises DatabaseDamaged where they are not what was written, or of another form."""
    stored = list(bodies)
    if digest(stored) != expected:
        raise DatabaseDamaged("its bytes are not those that were written")
    try:
        octets = b"".join(map(zlib.decompress, stored))
    except zlib.error as error:
        raise DatabaseDamaged(f"a chunk does not unpack ({error})") from error
    if len(octets) < _HEADER.size:
        raise DatabaseDamaged("it ends within its header")
    magic, position, block, *shapes, head = _HEADER.unpack_from(octets)
    if magic != MAGIC or shapes[1::2] != [table.shape[1] for table in Engine().keep()[1:]]:
        raise DatabaseDamaged("another release wrote it, and this one does not read it")
    tables: list[npt.NDArray[np.int64]] = []
    at = _HEADER.size
    for rows, columns in zip(shapes[::2], shapes[1::2], strict=True):
        if not 0 <= rows <= (len(octets) - at) // (8 * columns):
            raise DatabaseDamaged("it ends within a table")
        table = np.frombuffer(octets, "<i8", rows * columns, at).reshape(columns, rows)
        tables.append(np.ascontiguousarray(table.T))
        at += rows * columns * 8
    return Snapshot(Kept(position, *tables), block, head)
