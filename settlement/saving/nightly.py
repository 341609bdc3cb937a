"""A night's look at every linked account: mirror and bank brought together, link by link, and what was found kept for the three-way report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.money import Sen
from ledger.cardholder.savings import Consent, LinkState
from ledger.cardholder.unit import noted
from settlement.banks import store as payments
from settlement.errors import BankError
from settlement.saving import store
from settlement.saving.desk import is_by, prefix_of
from settlement.saving.mirror import brought_together

if TYPE_CHECKING:
    from keys.clock import Clock, Day
    from ledger.book import Ledger
    from ledger.store import Connection
    from settlement.saving.desk import SavingDesk
    from settlement.saving.mirror import Found
    from settlement.saving.store import Link


class MirrorNight:
    """Implements `settlement.night.running.Savings`."""

    def __init__(self, ledger: Ledger, desk: SavingDesk, clock: Clock) -> None:
        self._ledger = ledger
        self._desk = desk
        self._clock = clock

    def bring_on(self) -> None:
        """Ask banks what became of everything that is open, before a window closes."""
        self._desk.resume()

    def mirror(self, business_date: Day) -> None:
        """Look at every link that may be looked at; one that was reached in an earlier run of this night is left as it was found."""
        with self._ledger.database.transaction() as connection:
            done = {
                (one.uid, one.ordinal) for one in store.checks_of(connection, business_date) if one.reached
            }
            links = store.links_in(connection, LinkState.ACTIVE)
        for link in links:
            if Consent.BALANCE in link.consents and (link.uid, link.ordinal) not in done:
                self._check(link, business_date)

    def _check(self, link: Link, day: Day) -> None:
        account, now = self._desk.links.account(link), self._clock.now()
        with self._ledger.database.transaction() as connection:
            before, known = store.mirror_of(connection, link), store.told_of(connection, link)
            given = payments.beginning(connection, prefix_of(link.uid))
        first = min(before.line_at, now) if before is not None else link.consented_at
        try:
            said = self._desk.services(link.bank).statement(account.number, first, now, account.token)
        except BankError as error:
            self._keep(link, _row(link, day, Sen(0), str(error), 0), None)
            return
        found = brought_together(before, said, now, known, [one for one in given if is_by(one, link)])
        self._keep(link, _row(link, day, found.apart, "; ".join(found.reasons), 1), found)

    def _keep(self, link: Link, row: store.CheckRow, found: Found | None) -> None:
        def keep(connection: Connection) -> None:
            store.put_check(connection, row)
            if found is not None:
                store.put_mirror(connection, link, found.mirror)
                store.keep_told(connection, link, list(found.told))

        noted(self._ledger, keep)


def _row(link: Link, day: Day, apart: Sen, text: str, reached: int) -> store.CheckRow:
    return store.CheckRow(link.partition, link.uid, link.ordinal, day, link.bank, apart, text, reached)
