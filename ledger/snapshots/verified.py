"""Which snapshot a rebuild from the journal came out equal to: the next rebuild may begin there instead of at the first transfer.

Two numbers of the ledger's own (`meta`): its position, and the beginning of its digest, so that no other snapshot of that position passes
for it. Whoever could change both could change the journal: a whole rebuild trusts neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from ledger.tables import WHOLE, meta

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.snapshots.store import SnapshotRow

_POSITION: Final = "verified_position"
_DIGEST: Final = "verified_digest"


def _beginning(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def among(connection: sa.Connection, rows: Iterable[SnapshotRow]) -> SnapshotRow | None:
    """The one of some snapshots that was verified last; None where none of them was."""
    query = sa.select(meta.c.name, meta.c.value).where(
        meta.c.partition == WHOLE, meta.c.name.in_((_POSITION, _DIGEST))
    )
    known = {row.name: int(row.value) for row in connection.execute(query)}
    wanted = (known.get(_POSITION), known.get(_DIGEST))
    return next((row for row in rows if (row.position, _beginning(row.digest)) == wanted), None)


def note(connection: sa.Connection, row: SnapshotRow) -> None:
    """A snapshot is what the journal gives."""
    names = (_POSITION, _DIGEST)
    connection.execute(sa.delete(meta).where(meta.c.partition == WHOLE, meta.c.name.in_(names)))
    values = (row.position, _beginning(row.digest))
    told = [
        {"partition": WHOLE, "name": name, "value": value} for name, value in zip(names, values, strict=True)
    ]
    connection.execute(sa.insert(meta), told)
