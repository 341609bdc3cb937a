"""Cards' counters in the database, read on from where nothing was missing: a night costs what it tapped, not what cards ever did."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ledger.intake.reasons import ExceptionKind
from ledger.intake.tables import cards, exceptions, quarantine, taps
from settlement.breaks.tables import explanations
from settlement.tables import known_counters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Day
    from ledger.store import Connection


class Card(NamedTuple):
    """A card that was tapped in a business date: its first counter and its last by then, and up to which all were known before."""

    partition: int
    uid: int
    card_number: int
    first: int
    known: int  # first - 1 where nothing is noted
    last: int
    newer: int  # how many counters beyond `known` there are
    balance_after: int  # what the chip held after the last, in sen

    @property
    def lacks(self) -> bool:
        """Whether a counter is missing."""
        return self.last - self.known != self.newer


class Hole(NamedTuple):
    """Counters that nobody sent, and the record behind them that shows it."""

    missing: range
    terminal: int
    sequence: int


class Raised(NamedTuple):
    """An exception about a hole: the first counter of it, and whom it names."""

    partition: int
    uid: int
    tmc: int
    terminal: int
    sequence: int

    @property
    def key(self) -> str:
        """Its key in the worklist."""
        return "-".join(map(str, (ExceptionKind.COUNTER_MISSING.value, *self)))


def tapped(connection: Connection, day: Day, *, whole: bool) -> list[Card]:
    """The cards with a tap in a business date, as they were by its end; `whole` reads all their counters again."""
    newest = _newest(_begun(day), day, whole=whole)
    last = sa.and_(
        taps.c.partition == newest.c.partition, taps.c.uid == newest.c.uid, taps.c.tmc == newest.c.last
    )
    query = (
        sa.select(newest, taps.c.balance_after)
        .select_from(newest.join(taps, last))
        .order_by(newest.c.partition, newest.c.uid)
    )
    return [Card(*row) for row in connection.execute(query)]


def _begun(day: Day) -> sa.Subquery:
    """The cards with a tap in a business date, each with the first counter that the books have of it by then."""
    touched = sa.select(taps.c.partition, taps.c.uid).where(taps.c.business_date == day).distinct().subquery()
    mine = sa.and_(taps.c.partition == touched.c.partition, taps.c.uid == touched.c.uid)
    first = (
        sa.select(taps.c.tmc)
        .where(mine, taps.c.business_date <= day)
        .order_by(taps.c.tmc)
        .limit(1)
        .scalar_subquery()
    )
    return sa.select(touched, first.label("first")).subquery()


def _newest(begun: sa.Subquery, day: Day, *, whole: bool) -> sa.Subquery:
    """These cards with their last counter by the end of the date, and how many are newer than what was known of them."""
    noted = sa.and_(
        known_counters.c.partition == begun.c.partition,
        known_counters.c.uid == begun.c.uid,
        known_counters.c.first == begun.c.first,  # else one came that lies before them
        known_counters.c.business_date < day,
        sa.false() if whole else sa.true(),
    )
    known = sa.func.coalesce(known_counters.c.tmc, begun.c.first - 1)
    newer = sa.and_(
        taps.c.partition == begun.c.partition, taps.c.uid == begun.c.uid, taps.c.tmc > known,
        taps.c.business_date <= day,
    )  # fmt: skip
    named = sa.and_(cards.c.partition == begun.c.partition, cards.c.uid == begun.c.uid)
    columns = (begun.c.partition, begun.c.uid, cards.c.card_number, begun.c.first, known.label("known"))
    return (
        sa.select(*columns, sa.func.max(taps.c.tmc).label("last"), sa.func.count().label("newer"))
        .select_from(begun.outerjoin(known_counters, noted).join(taps, newer).join(cards, named))
        .group_by(*columns)
        .subquery()
    )


def holes(connection: Connection, day: Day, card: Card) -> list[Hole]:
    """What a card lacks by a business date, in order."""
    query = (
        sa.select(taps.c.tmc, taps.c.terminal, taps.c.sequence)
        .where(
            taps.c.partition == card.partition, taps.c.uid == card.uid, taps.c.tmc > card.known,
            taps.c.business_date <= day,
        )
        .order_by(taps.c.tmc)
    )  # fmt: skip
    rows = [(card.known, 0, 0), *connection.execute(query)]
    return [
        Hole(range(before[0] + 1, tmc), terminal, sequence)
        for before, (tmc, terminal, sequence) in pairwise(rows)
        if tmc != before[0] + 1
    ]


def in_quarantine(connection: Connection, uid: int) -> set[int]:
    """Counters of a card whose records were kept and not posted."""
    return set(connection.execute(sa.select(quarantine.c.tmc).where(quarantine.c.uid == uid)).scalars())


def note(connection: Connection, day: Day, known: Sequence[tuple[Card, int]]) -> None:
    """Keep up to which counter nothing is missing by a business date; what a later one noted stands."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    told: dict[str, sa.ColumnElement[int]] = {
        name: sa.literal_column(f"excluded.{name}") for name in ("first", "tmc", "business_date")
    }
    later = insert(known_counters).on_conflict_do_update(
        index_elements=["partition", "uid"],
        set_=told,
        where=known_counters.c.business_date <= told["business_date"],
    )
    rows = [
        {"partition": card.partition, "uid": card.uid, "first": card.first, "tmc": tmc, "business_date": day}
        for card, tmc in known
    ]
    if rows:
        connection.execute(later, rows)


def raised(connection: Connection, *, came: bool = False) -> list[Raised]:
    """Exceptions about holes; `came` those whose first counter came since, and that nobody explained yet."""
    table = exceptions
    columns = (table.c.partition, table.c.uid, table.c.tmc, table.c.terminal, table.c.sequence)
    query = sa.select(*columns).where(table.c.kind == ExceptionKind.COUNTER_MISSING)
    if not came:
        return [Raised(*row) for row in connection.execute(query)]
    same = [table.c[name] == taps.c[name] for name in ("partition", "uid", "tmc")]
    found = [Raised(*row) for row in connection.execute(query.where(sa.exists().where(*same)))]
    like = explanations.c.key.startswith(f"{ExceptionKind.COUNTER_MISSING.value}-", autoescape=True)
    told = set(connection.execute(sa.select(explanations.c.key).where(like)).scalars())
    return [one for one in found if one.key not in told]
