"""Snapshots in the database: a row each, and its bytes in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from keys.clock import UnixMs
from ledger.errors import DatabaseDamaged
from ledger.schema import columns_of, values_of
from ledger.snapshots import form
from ledger.tables import WHOLE, meta, snapshot_chunks, snapshots

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.snapshots.form import Snapshot

KEPT_MAX: Final = 2
"""The newest, and the one before for the day that the newest is damaged; beside them the one that the next rebuild begins at."""


_POSITION: Final = "verified_position"
_DIGEST: Final = "verified_digest"
"""Which snapshot a rebuild from the journal came out equal to, among the ledger's own numbers (`meta`): its position, and the beginning of
its digest, so that no other snapshot of that position passes for it. Whoever could change both could change the journal: a whole rebuild
trusts neither."""


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """What is known of a snapshot without reading it."""

    position: int
    block: int
    taken_at: UnixMs
    octets: int
    chunks: int
    digest: bytes


def stored(connection: sa.Connection) -> list[SnapshotRow]:
    """The snapshots that are whole, newest first."""
    columns = columns_of(snapshots, SnapshotRow)
    query = sa.select(*columns).where(snapshots.c.partition == WHOLE).order_by(snapshots.c.position.desc())
    return [
        SnapshotRow(position, block, UnixMs(at), octets, chunks, bytes(digest))
        for position, block, at, octets, chunks, digest in connection.execute(query)
    ]


def load(connection: sa.Connection, row: SnapshotRow) -> Snapshot:
    """Read a snapshot; raises DatabaseDamaged, naming it, where it is not what was written."""
    table = snapshot_chunks
    query = sa.select(table.c.body).where(table.c.partition == WHOLE, table.c.position == row.position)
    try:
        bodies = [bytes(body) for body in connection.execute(query.order_by(table.c.ordinal)).scalars()]
        found = form.decoded(bodies, row.digest)
    except (DatabaseDamaged, TypeError) as error:
        raise DatabaseDamaged(f"the snapshot as of position {row.position} is damaged: {error}") from error
    if (found.kept.position, found.block) != (row.position, row.block):
        raise DatabaseDamaged(
            f"the snapshot as of position {row.position} is damaged: it stands under another position than its own"
        )
    return found


def begin(connection: sa.Connection, position: int) -> bool:
    """Make room for a snapshot as of a position: False where there is one; what a crash left of another goes."""
    whole = sa.select(snapshots.c.position).where(snapshots.c.partition == WHOLE)
    if position in connection.execute(whole).scalars().all():
        return False
    _forget_chunks(connection)
    return True


def forget_all(connection: sa.Connection) -> None:
    """Drop every snapshot: a start then replays the whole journal."""
    connection.execute(sa.delete(snapshots))
    connection.execute(sa.delete(snapshot_chunks))


def put_chunk(connection: sa.Connection, position: int, ordinal: int, body: bytes) -> None:
    """Write a chunk."""
    row = {"partition": WHOLE, "position": position, "ordinal": ordinal, "body": body}
    connection.execute(sa.insert(snapshot_chunks), row)


def finish(connection: sa.Connection, row: SnapshotRow) -> None:
    """All chunks are there: the snapshot counts from now on, and all but the newest ones and the verified one go."""
    values = values_of(row)
    connection.execute(sa.insert(snapshots), {"partition": WHOLE, **values})
    kept = verified(connection, stored(connection))
    old = [one.position for one in stored(connection)[KEPT_MAX:] if one != kept]
    connection.execute(
        sa.delete(snapshots).where(snapshots.c.partition == WHOLE, snapshots.c.position.in_(old))
    )
    _forget_chunks(connection)


def _forget_chunks(connection: sa.Connection) -> None:
    """Delete chunks of which no snapshot is left."""
    whole = [one.position for one in stored(connection)]
    table = snapshot_chunks
    connection.execute(sa.delete(table).where(table.c.partition == WHOLE, table.c.position.not_in(whole)))


def _beginning(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def verified(connection: sa.Connection, rows: Iterable[SnapshotRow]) -> SnapshotRow | None:
    """The one of some snapshots that was verified last; None where none of them was."""
    query = sa.select(meta.c.name, meta.c.value).where(
        meta.c.partition == WHOLE, meta.c.name.in_((_POSITION, _DIGEST))
    )
    known = {row.name: int(row.value) for row in connection.execute(query)}
    wanted = (known.get(_POSITION), known.get(_DIGEST))
    return next((row for row in rows if (row.position, _beginning(row.digest)) == wanted), None)


def note_verified(connection: sa.Connection, row: SnapshotRow) -> None:
    """A snapshot is what the journal gives."""
    names = (_POSITION, _DIGEST)
    connection.execute(sa.delete(meta).where(meta.c.partition == WHOLE, meta.c.name.in_(names)))
    values = (row.position, _beginning(row.digest))
    told = [
        {"partition": WHOLE, "name": name, "value": value} for name, value in zip(names, values, strict=True)
    ]
    connection.execute(sa.insert(meta), told)
