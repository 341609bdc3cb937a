"""Figures: volume by hour, how old breaks are, fee income by night; and each window's way from open to settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.clock import Day, date_of, day_of, local
from keys.money import Sen, display
from settlement import store as settlements
from settlement.console.acting import breaks_desk
from settlement.console.calls import Page
from settlement.console.charts import WIDE, Bar, bars
from settlement.console.figures import store
from settlement.console.nights import asked_date
from settlement.console.pages import Pages
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

ROOT: Final = "/console/figures"
WINDOWS: Final = "/console/windows"
FEE_DAYS: Final = 30
WINDOWS_SHOWN: Final = 30
_HOURS: Final = 24


def money(sen: int, unit: int) -> str:
    """An amount in thousands or millions of rupiah (rb, jt, M) where the unit, in sen as well, is a whole number of them."""
    for size, name in ((1_000_000_000, "M"), (1_000_000, "jt"), (1_000, "rb")):
        if unit % (size * 100) == 0:
            return f"{sen // (size * 100)} {name}"
    return display(Sen(sen))


def _count(value: int, _unit: int) -> str:
    return str(value)


class FiguresPages(Pages):
    """The pages of figures and windows."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", ROOT, Right.LOOK, self.figures),
            Page("GET", WINDOWS, Right.LOOK, self.windows),
        )

    def figures(self, ask: Ask, session: Session | None) -> Answer:
        """Three charts, each with its table."""
        wanted = asked_date(ask.asked("date"))
        today = self._desk.ledger.open_window()
        with self._desk.database.transaction() as connection:
            settled = settlements.settled_days(connection)
            day = day_of(wanted) if wanted else (settled[0] if settled else today)
            hours = store.by_hour(connection, day)
            fees = store.fees_by_day(connection, FEE_DAYS)
        ages = breaks_desk(self._desk).ageing(today)
        shown = date_of(day).isoformat()
        by_hour = [(hour, *hours.get(hour, (0, 0))) for hour in range(_HOURS)]
        return self._drawing.page(
            "figures.html", ask, session, day=shown, by_hour=by_hour, ages=ages, fees=fees,
            volume=bars("volume", f"Taps by hour on {shown}", f"{sum(one[1] for one in by_hour)} taps of {display(Sen(sum(one[2] for one in by_hour)))}, by the hour they happened in.", [Bar(f"{hour:02d}", count) for hour, count, _ in by_hour], _count, width=WIDE),
            ageing=bars("ageing", "Open breaks by age", f"{sum(count for count, _ in ages.values())} open breaks in buckets of age.", [Bar(age.value, count) for age, (count, _) in ages.items()], _count, "b2"),
            income=bars("income", "Fee income by night", f"Fees of the last {len(fees)} settled nights.", [Bar(date_of(Day(one)).strftime("%d %b"), fee) for one, fee in fees] or [Bar("none", 0)], money),
        )  # fmt: skip

    def windows(self, ask: Ask, session: Session | None) -> Answer:
        """Each window on its way: open, closed, settled, paid, told by statements."""
        ledger = self._desk.ledger
        with self._desk.database.transaction() as connection:
            settled = set(settlements.settled_days(connection))
        closed = list(reversed(ledger.windows()))[:WINDOWS_SHOWN]
        told = [
            (
                date_of(one.business_date),
                local(one.closed_at),
                one.business_date in settled,
                one.last_position,
            )
            for one in closed
        ]
        return self._drawing.page(
            "windows.html", ask, session, open=date_of(ledger.open_window()), closed=told
        )
