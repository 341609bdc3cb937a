"""Reading what lies in the archive. Each file is hashed as it is read: what was changed or lost is refused by name, never guessed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from keys.clock import date_of
from ledger.archive import store
from ledger.errors import ArchiveDamaged, ArchiveMissing, ExportDamaged
from ledger.exports import frames, manifest
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from ledger.archive.store import Archived, Connection
    from ledger.exports.manifest import Manifest

    Rows = npt.NDArray[np.void]

TRANSFERS: Final = dict.fromkeys(ROW.names or (), int)
DOCUMENTS: Final[dict[str, type]] = {"partition": int, "block": int, "ordinal": int, "body": bytes}


def rows(connection: Connection, first: int, last: int) -> Iterator[Rows]:
    """The archived journal rows (ROW) of a span of positions, in order; raises ArchiveMissing, ArchiveDamaged."""
    for one in store.read(connection):
        if one.span.rows and one.span.first_position <= last and one.span.last_position >= first:
            for found in _rows(one):
                yield found[(found["position"] >= first) & (found["position"] <= last)]


def documents(connection: Connection, first: int, last: int) -> dict[int, list[bytes]]:
    """The archived documents of a span of blocks, each block's in order; raises ArchiveMissing, ArchiveDamaged."""
    found: dict[int, list[bytes]] = {}
    for one in store.read(connection):
        if one.documents and one.span.first_block <= last and one.span.last_block >= first:
            found |= documents_of(one, first, last)
    return found


def documents_of(one: Archived, first: int, last: int) -> dict[int, list[bytes]]:
    """The same of one date."""
    import polars as pl  # noqa: PLC0415  for its type alone it is not loaded

    found: dict[int, list[bytes]] = {}
    for _, frame in frames_of(one, {"documents": DOCUMENTS}):
        for _, block, _, body in frame.filter(pl.col("block").is_between(first, last)).iter_rows():
            found.setdefault(block, []).append(body)
    return found


def parts_of(one: Archived) -> Manifest:
    """What a date's folder holds; raises ArchiveMissing where it is not there, ArchiveDamaged where it is another."""
    root = folder_of(one)
    if not root.is_dir():
        raise ArchiveMissing(
            f"business date {date_of(one.span.business_date)} is in the archive, and the folder {root.name} is not where it was put: "
            "bring it back, or say where it is now (hebat ledger archive --moved-to)"
        )
    try:
        found = manifest.read(root)
    except ExportDamaged as error:
        raise ArchiveDamaged(f"{root.name}: {error}") from None
    if hashlib.sha256(found.encode()).digest() != one.manifest:
        raise ArchiveDamaged(
            f"{root.name} is not what was archived on business date {date_of(one.span.business_date)}: bring the right one back"
        )
    return found


def frames_of(one: Archived, kinds: Mapping[str, Mapping[str, type]]) -> Iterator[tuple[str, pl.DataFrame]]:
    """A date's files, each with the name of its table, as they were written; `kinds` are the columns of each table."""
    root = folder_of(one)
    for part in parts_of(one).parts:
        if part.table in kinds:
            try:
                yield part.table, frames.read_checked(root, part, kinds[part.table])
            except ExportDamaged as error:
                raise ArchiveDamaged(f"{root.name}: {error}") from None


def folder_of(one: Archived) -> Path:
    """The folder of an archived date."""
    return Path(one.place) / one.name


def _rows(one: Archived) -> Iterator[Rows]:
    for _, frame in frames_of(one, {"transfers": TRANSFERS}):
        yield frames.rows_of(frame)
