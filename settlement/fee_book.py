"""A city's own fee table: its rates beside the shipped ones, kept in the rulebook, and never changed for a day that was settled.

A rate of the city goes before the shipped rate of the same class and first day. What a closed window was settled with cannot be told
otherwise afterwards: a table that would is refused, and names the class and the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.clock import date_of, day_of
from ledger.chain.store import read_windows
from settlement.errors import FeeTableInvalid, FeeUnknown
from settlement.fees import FeeTable, qris_rates, read_table
from settlement.rulebook.model import Page, RuleKind

if TYPE_CHECKING:
    from datetime import date

    from keys.clock import Day, UnixMs
    from ledger.store import Database
    from settlement.fees import Rate
    from settlement.participants import MerchantClass
    from settlement.rulebook.book import Rulebook

NAME: Final = "merchants"


@dataclass(frozen=True, slots=True)
class Change:
    """From a day on a class pays otherwise: before, and now; None for no rate."""

    merchant_class: MerchantClass
    day: date
    before: Rate | None
    now: Rate | None


def city_fees(rulebook: Rulebook) -> FeeTable:
    """The rates that hold now; raises FeeTableInvalid where the page is none."""
    kept = next((page for page in rulebook.current(RuleKind.FEES) if page.name == NAME), None)
    return qris_rates() if kept is None else with_own(str(kept.told["csv"]))


def with_own(text: str) -> FeeTable:
    """The shipped rates with those of a city's CSV file (`fees.read_table`); raises FeeTableInvalid, naming the line."""
    own = read_table(text).rates
    taken = {(rate.merchant_class, rate.valid_from) for rate in own}
    shipped = (rate for rate in qris_rates().rates if (rate.merchant_class, rate.valid_from) not in taken)
    return FeeTable([*shipped, *own])


def changes(before: FeeTable, now: FeeTable) -> list[Change]:
    """Where two tables differ: at the first day of each rate of either, by class and day."""
    starts = sorted({(one.merchant_class, one.valid_from) for one in (*before.rates, *now.rates)})
    pairs = (Change(kind, day, _rate(before, kind, day), _rate(now, kind, day)) for kind, day in starts)
    return [one for one in pairs if one.before != one.now and not _same(one)]


def _same(one: Change) -> bool:
    """A rate that begins anew with the same terms is no change."""
    return one.before is not None and one.now is not None and one.before.terms == one.now.terms


def _rate(table: FeeTable, merchant_class: MerchantClass, day: date) -> Rate | None:
    try:
        return table.rate(merchant_class, day_of(day))
    except FeeUnknown:
        return None


class FeeBook:
    """A city's fee table: look what a file would change, and keep it. It moves no money and works beside a server."""

    def __init__(self, database: Database, rulebook: Rulebook) -> None:
        self._database = database
        self._rulebook = rulebook

    def checked(self, text: str) -> list[Change]:
        """What a file would change; raises FeeTableInvalid for one that is no table, or that changes what was settled."""
        found = changes(city_fees(self._rulebook), with_own(text))
        closed = self._last_closed()
        used = [one for one in found if closed is not None and day_of(one.day) <= closed]
        if used and closed is not None:
            raise FeeTableInvalid(
                f"the file changes the rate of {used[0].merchant_class} from {used[0].day}, and windows are closed up to"
                f" {date_of(closed)}: leave rates that were used as they are, and begin new ones later"
            )
        return found

    def bring(self, text: str, *, author: str, reason: str, at: UnixMs) -> tuple[Page, list[Change]]:
        """Keep a file's table: it holds from then on. Raises as `checked` does, and RuleRefused."""
        found = self.checked(text)
        page = self._rulebook.add(RuleKind.FEES, NAME, {"csv": text}, author=author, reason=reason, at=at)
        return page, found

    def _last_closed(self) -> Day | None:
        with self._database.transaction() as connection:
            windows = read_windows(connection)
        return windows[-1].business_date if windows else None
