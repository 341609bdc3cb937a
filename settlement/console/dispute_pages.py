"""What cardholders report about their taps: the words, the tap as evidence, the deadline, and the answer that they read by their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger.cardholder.disputes import OPEN, Outcome, Reason
from ledger.errors import DisputeRefused
from ledger.http import cursors
from ledger.intake import store as intake
from settlement.console.acting import disputes, said
from settlement.console.calls import Page
from settlement.console.claim_pages import asked_filters, due_tone, shown_filters
from settlement.console.claims import store
from settlement.console.match_pages import address
from settlement.console.pages import Pages, number_of, signed
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.console.claims.store import Reported
    from settlement.staff.sessions import Session

ROOT: Final = "/console/disputes"
ROWS: Final = 50
STATES: Final = (OPEN, "answered")
_PARTS: Final = 3


class DisputePages(Pages):
    """The pages under /console/disputes."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", ROOT, Right.LOOK, self.reports),
            Page("POST", ROOT, Right.WORK, self.answer),
            Page("GET", f"{ROOT}/{{key}}", Right.LOOK, self.report),
        )

    def reports(self, ask: Ask, session: Session | None) -> Answer:
        """Reports, the one that is due first before others."""
        reasons = tuple(one.value for one in Reason)
        filters, today = asked_filters(ask, STATES, reasons), self._desk.ledger.open_window()
        here = shown_filters(filters, OPEN)
        behind: Any = cursors.read(f"disputes {filters}", ask.asked("cursor"), (int, int, int, int))
        with self._desk.database.transaction() as connection:
            found = store.reports(connection, filters, behind, ROWS + 1)
            count = store.report_count(connection, filters)
        following = ""
        if len(found) > ROWS:
            last = found[ROWS - 1].dispute
            key = (last.due, last.opened_at, last.uid, last.tmc)
            following = address(ROOT, **here, cursor=cursors.written(f"disputes {filters}", key))
        return self._drawing.page(
            "disputes.html", ask, session, root=ROOT, found=found[:ROWS], count=count, asked=here, reasons=reasons, states=STATES,
            next=following, here_now=address(ROOT, **here), tone=lambda day: due_tone(day, today), outcomes=list(Outcome),
        )  # fmt: skip

    def report(self, ask: Ask, session: Session | None) -> Answer:
        """One report, with what the holder wrote, the tap, and how to answer it."""
        found = self._found(ask.part("key"))
        if found is None:
            return self._missing(ask, session, "No cardholder reported this.")
        one = found.dispute
        with self._desk.database.transaction() as connection:
            tap = intake.tap_at(connection, found.partition, one.uid, one.tmc)
        today = self._desk.ledger.open_window()
        return self._drawing.page(
            "dispute.html", ask, session, root=ROOT, found=found, one=one, tap=tap, words=self._desk.disputes.words(one.reference),
            tone=due_tone(one.due, today), outcomes=list(Outcome),
        )  # fmt: skip

    def _found(self, key: str) -> Reported | None:
        place = [number_of(part) for part in key.split("-")]
        if len(place) != _PARTS or max(place) >= 1 << 62:
            return None
        with self._desk.database.transaction() as connection:
            return store.report_of(connection, *place)

    def answer(self, ask: Ask, session: Session | None) -> Answer:
        """Answer what was chosen with one text; each by itself, once."""
        outcome, text, who = ask.said("outcome"), ask.said("answer"), signed(session)
        if outcome not in set(Outcome):
            raise DisputeRefused("a dispute is upheld or refused: say which")

        def one(key: str) -> None:
            found = self._found(key)
            if found is None:
                raise DisputeRefused("no cardholder reported this: load the list again")
            entry = said(who, ask, "dispute answered", key, f"{outcome}: {text}")
            disputes(self._desk, entry).answer(found.dispute.reference, Outcome(outcome), text, who.name)

        return self._each(ask, session, ROOT, ask.chosen("dispute"), one)
