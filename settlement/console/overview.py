"""The first page inside: how much work there is, how old it is, and how the last nights ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.clock import date_of
from settlement import store as settlements
from settlement.console import store
from settlement.console.calls import Door, Page, to
from settlement.console.pages import Pages
from settlement.console.store import Filters, Source, Total
from settlement.console.worklist import BUCKETS, OLDER, address_of, bucket
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

ROOT: Final = "/console"
NIGHTS: Final = 7


class OverviewPages(Pages):
    """The page at /console."""

    def pages(self) -> tuple[Page, ...]:
        """Its address."""
        return (Page("GET", ROOT, Door.SIGNED_IN, self.overview),)

    def overview(self, ask: Ask, session: Session | None) -> Answer:
        """What is to be done; an administrator goes on to the accounts."""
        if session is not None and not session.may(Right.LOOK):
            return to("/console/accounts")
        now = self._desk.clock.now()
        with self._desk.database.transaction() as connection:
            aged = store.ages(connection)
            totals = [Total(Source.BREAK, sum(one[1] for one in aged), sum(one[2] for one in aged))]
            for source in (Source.QUARANTINE, Source.EXCEPTION, Source.DISPUTE):
                totals += store.totals(connection, Filters(source))
            days = settlements.settled_days(connection, NIGHTS)
        ages = {name: [0, 0] for _, name in BUCKETS} | {OLDER: [0, 0]}
        for since, count, _, amount in aged:
            at = since * store.DAY_MS - store.CITY_MS
            ages[bucket(at, now)][0] += count
            ages[bucket(at, now)][1] += amount
        return self._drawing.page(
            "overview.html", ask, session,
            totals=totals, ages=ages, days=[date_of(day) for day in days], Filters=Filters, address_of=address_of,
        )  # fmt: skip
