"""Claims against banks and parties: their deadlines, and how they ended. A claim's evidence are the files of its break."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from keys.clock import Day, date_of, day_of
from ledger.http import cursors
from settlement.breaks.disputes.kept import DisputeState
from settlement.console.acting import breaks_desk, said
from settlement.console.calls import Page, to
from settlement.console.claims import store
from settlement.console.claims.store import STATES, Filters
from settlement.console.match_pages import address
from settlement.console.nights import asked_date
from settlement.console.pages import Pages, signed
from settlement.errors import BreakRefused
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

ROOT: Final = "/console/claims"
ROWS: Final = 50
SOON_DAYS: Final = 7
ALL: Final = "all"


def asked_filters(ask: Ask, states: tuple[str, ...], reasons: tuple[str, ...] = ()) -> Filters:
    """The filters of an address: open ones, unless it asks for others."""
    state, until, reason = ask.asked("state"), asked_date(ask.asked("until")), ask.asked("reason")
    wanted = "" if state == ALL else state if state in states else states[0]
    return Filters(wanted, day_of(until) if until else 0, reason if reason in reasons else "")


def shown_filters(filters: Filters, first: str) -> dict[str, str]:
    """The same as an address says it; what is asked for anyway is left out."""
    state = "" if filters.state == first else filters.state or ALL
    until = date_of(Day(filters.until)).isoformat() if filters.until else ""
    return {"state": state, "until": until, "reason": filters.reason}


def due_tone(deadline: int, today: int) -> str:
    """The colour (and so the shape) of a deadline."""
    if deadline < today:
        return "red"
    return "amber" if deadline - today <= SOON_DAYS else "grey"


class ClaimPages(Pages):
    """The pages under /console/claims, and the forms of a break that open one."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", ROOT, Right.LOOK, self.claims),
            Page("POST", ROOT, Right.WORK, self.end),
            Page("POST", "/console/breaks/{break_id}/claim", Right.WORK, self.open),
        )

    def claims(self, ask: Ask, session: Session | None) -> Answer:
        """Claims, the nearest deadline first."""
        filters, today = asked_filters(ask, STATES), self._desk.ledger.open_window()
        here = shown_filters(filters, STATES[0])
        behind: Any = cursors.read(f"claims {filters}", ask.asked("cursor"), (int, str, int))
        with self._desk.database.transaction() as connection:
            found = store.claims(connection, filters, behind, ROWS + 1)
            count, amount = store.claims_total(connection, filters)
        following = ""
        if len(found) > ROWS:
            last = found[ROWS - 1].claim
            key = (last.deadline, last.break_id, last.ordinal)
            following = address(ROOT, **here, cursor=cursors.written(f"claims {filters}", key))
        return self._drawing.page(
            "claims.html", ask, session, root=ROOT, found=found[:ROWS], count=count, amount=amount, asked=here, states=STATES,
            bank=self._desk.bank, next=following, here_now=address(ROOT, **here), tone=lambda day: due_tone(day, today),
            ends=[one for one in DisputeState if one is not DisputeState.OPEN],
        )  # fmt: skip

    def end(self, ask: Ask, session: Session | None) -> Answer:
        """Say how the open claims of chosen breaks ended."""
        how, outcome, who = ask.said("as"), ask.said("outcome"), signed(session)
        if how not in set(DisputeState) - {DisputeState.OPEN}:
            raise BreakRefused("a claim ends as won, lost or withdrawn")

        def one(break_id: str) -> None:
            desk = breaks_desk(self._desk, said(who, ask, "claim ended", break_id, f"{how}: {outcome}"))
            desk.close_dispute(break_id, DisputeState(how), outcome, who.name)

        return self._each(ask, session, ROOT, ask.chosen("claim"), one)

    def open(self, ask: Ask, session: Session | None) -> Answer:
        """Open a claim about a break, with a deadline."""
        break_id, against, claim = ask.part("break_id"), ask.said("party"), ask.said("claim")
        who, deadline = signed(session), asked_date(ask.said("deadline"))
        if deadline is None:
            raise BreakRefused("name the deadline, a business day")
        entry = said(who, ask, "claim opened", break_id, f"against {against}, until {deadline}: {claim}")
        breaks_desk(self._desk, entry).dispute(break_id, against, claim, day_of(deadline), who.name)
        return to(f"/console/breaks/{break_id}")
