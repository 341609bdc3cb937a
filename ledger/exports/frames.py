"""Rows as polars frames and files, and back: integers, texts and bytes, nothing else. Bytes stand in CSV as hexadecimal digits."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from ledger.errors import ExportDamaged
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from ledger.exports.manifest import Part

    Rows = npt.NDArray[np.void]

_TYPES: Final = {int: pl.Int64(), bytes: pl.Binary(), str: pl.String()}


def of_rows(rows: Rows) -> pl.DataFrame:
    """Journal rows (ROW) as a frame."""
    return pl.DataFrame({name: np.ascontiguousarray(rows[name]) for name in ROW.names or ()})


def of_tuples(rows: Sequence[tuple[Any, ...]], kinds: Mapping[str, type]) -> pl.DataFrame:
    """A table's rows as a frame."""
    return pl.DataFrame(rows, schema={name: _TYPES[kind] for name, kind in kinds.items()}, orient="row")


def write(frame: pl.DataFrame, path: Path, kind: str) -> None:
    """Write a frame as Parquet (Zstandard) or as CSV."""
    if kind == "parquet":
        frame.write_parquet(path, compression="zstd", compression_level=3, statistics=False)
        return
    blobs = [name for name, of in frame.schema.items() if of == pl.Binary]
    frame.with_columns(pl.col(blobs).bin.encode("hex")).write_csv(path)


def read(path: Path, kinds: Mapping[str, type], rows: int, name: str) -> pl.DataFrame:
    """A Parquet file of a table; raises ExportDamaged, naming the file, where its columns or rows are others."""
    return _read(path, kinds, rows, name)


def read_checked(root: Path, part: Part, kinds: Mapping[str, type]) -> pl.DataFrame:
    """The same of a file that a manifest names; its bytes are hashed and read at once, so that they are the same."""
    try:
        octets = (root / part.path).read_bytes()
    except OSError as error:
        raise ExportDamaged(f"{part.path} cannot be read: {error.strerror}") from None
    if (len(octets), hashlib.sha256(octets).hexdigest()) != (part.bytes, part.sha256):
        raise ExportDamaged(f"{part.path} is not what was written: bring the right one back")
    return _read(io.BytesIO(octets), kinds, part.rows, part.path)


def _read(source: Path | io.BytesIO, kinds: Mapping[str, type], rows: int, name: str) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(source, memory_map=False)
    except (PolarsError, PanicException, OSError) as error:
        raise ExportDamaged(f"{name} is no Parquet file: {str(error)[:80]}") from None
    if dict(frame.schema) != {column: _TYPES[kind] for column, kind in kinds.items()} or len(frame) != rows:
        raise ExportDamaged(f"{name} has other columns or rows than its table")
    return frame


def rows_of(frame: pl.DataFrame) -> Rows:
    """Journal rows (ROW) from their frame."""
    rows = np.zeros(len(frame), ROW)
    for name in ROW.names or ():
        rows[name] = frame[name].to_numpy()
    return rows


def columns_of(frame: pl.DataFrame) -> dict[str, Any]:
    """A frame's columns, integers as arrays where none is missing."""
    return {
        name: column.to_numpy() if column.dtype == pl.Int64 and not column.null_count() else column.to_list()
        for name, column in zip(frame.columns, frame.get_columns(), strict=True)
    }
