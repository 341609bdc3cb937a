"""Which business dates were taken out of the database, and where they lie. The chain's blocks, identities and windows stay where they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE, archives, blocks, documents

if TYPE_CHECKING:
    from collections.abc import Sequence

Connection = sa.Connection


@dataclass(frozen=True, slots=True)
class Span:
    """A business date of the journal: its blocks and positions, both ends included; a date without transfers has no positions."""

    business_date: Day
    first_block: int
    last_block: int
    first_position: int
    last_position: int

    @property
    def rows(self) -> int:
        """How many transfers it has."""
        return self.last_position - self.first_position + 1


@dataclass(frozen=True, slots=True)
class Archived:
    """A date in the archive. `place` is the folder that holds its own, `manifest` the SHA-256 of the manifest there."""

    span: Span
    documents: int
    place: str
    name: str
    manifest: bytes
    archived_at: UnixMs


_SPAN: Final = columns_of(archives, Span)
_REST: Final = [archives.c[name] for name in ("documents", "place", "name", "manifest", "archived_at")]
_READ: Final = (
    sa.select(*_SPAN, *_REST).where(archives.c.partition == WHOLE).order_by(archives.c.business_date)
)


def read(connection: sa.Connection) -> list[Archived]:
    """What is in the archive, oldest first: always the journal's beginning, without a gap."""
    found = []
    for row in connection.execute(_READ):
        day, *numbers = row[: len(_SPAN)]
        count, place, name, manifest, at = row[len(_SPAN) :]
        found.append(Archived(Span(Day(day), *numbers), count, place, name, bytes(manifest), UnixMs(at)))
    return found


def reach(connection: sa.Connection) -> int:
    """The last position that is in the archive; 0 where nothing is."""
    query = sa.select(sa.func.max(archives.c.last_position)).where(archives.c.partition == WHOLE)
    return int(connection.execute(query).scalar() or 0)


def spans(connection: sa.Connection, until: Day) -> list[Span]:
    """The business dates up to one that are in the database still, oldest first."""
    done = read(connection)
    table, after = blocks, done[-1].span.last_block if done else 0
    ends = sa.func.max(table.c.first_position + table.c.rows - 1)
    query = (
        sa.select(
            table.c.business_date, sa.func.min(table.c.block), sa.func.max(table.c.block),
            sa.func.min(table.c.first_position), ends,
        )
        .where(table.c.partition == WHOLE, table.c.block > after, table.c.business_date <= until)
        .group_by(table.c.business_date)
        .order_by(table.c.business_date)
    )  # fmt: skip
    return [Span(Day(day), *numbers) for day, *numbers in connection.execute(query)]


def count_documents(connection: sa.Connection, span: Span) -> int:
    """How many documents a date's blocks have in the database."""
    query = sa.select(sa.func.count()).select_from(documents).where(*_documents_of(span))
    return int(connection.execute(query).scalar_one())


def note(connection: sa.Connection, one: Archived) -> None:
    """Note that a date is in the archive: from this commit on everybody reads its files, and what the tables hold of it may go."""
    said = values_of(one.span)
    rest = {"documents": one.documents, "place": one.place, "name": one.name, "manifest": one.manifest}
    connection.execute(
        sa.insert(archives), {"partition": WHOLE, **said, **rest, "archived_at": one.archived_at}
    )


def relocate(connection: sa.Connection, place: str) -> int:
    """Say where the archive lies now; how many dates that is about."""
    done = connection.execute(sa.update(archives).where(archives.c.partition == WHOLE).values(place=place))
    return int(done.rowcount)


def _documents_of(span: Span) -> Sequence[Any]:
    return documents.c.partition == WHOLE, documents.c.block.between(span.first_block, span.last_block)
