"""Rules of matching: what is in force, a dry run of others over a past month with what would change, and putting them in force."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from keys.clock import date_of, day_of
from settlement.console.acting import matching_desk, said, writing
from settlement.console.calls import Page, to
from settlement.console.nights import asked_date
from settlement.console.pages import Pages, signed
from settlement.errors import MatchRefused, RuleRefused, RulesInvalid
from settlement.matching.rules import RULES_NAME
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from datetime import date

    from settlement.console.calls import Answer, Ask
    from settlement.matching.trying import Changes
    from settlement.staff.sessions import Session

ROOT: Final = "/console/rules"
SHOWN: Final = 200
"""Rows of each kind that the page shows; its counts are of all."""
_TOO_WRONG: Final = 422


class RulesPages(Pages):
    """The pages under /console/rules."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses; trying writes nothing, so that whoever may look may try."""
        return (
            Page("GET", ROOT, Right.LOOK, self.show),
            Page("POST", f"{ROOT}/try", Right.LOOK, self.try_out),
            Page("POST", ROOT, Right.APPROVE, self.put),
        )

    def show(
        self, ask: Ask, session: Session | None, body: str = "", changes: Changes | None = None, wrong: str = ""
    ) -> Answer:  # fmt: skip
        """The rules in force, or those that somebody tries, and what they would change."""
        rules = matching_desk(self._desk).rules()
        first, last = self._days(ask)
        history = Rulebook(self._desk.database).history(RuleKind.MATCHING, RULES_NAME)
        return self._drawing.page(
            "rules.html", ask, session, _TOO_WRONG if wrong else 200, root=ROOT, rules=rules, body=body or rules.body, changes=changes,
            wrong=wrong, first=first.isoformat(), last=last.isoformat(), history=list(reversed(history))[:20], shown=SHOWN,
        )  # fmt: skip

    def _days(self, ask: Ask) -> tuple[date, date]:
        """The days of a dry run; without any, the month before this one."""
        this = date_of(self._desk.ledger.open_window()).replace(day=1)
        last = this - timedelta(days=1)
        return (
            asked_date(ask.said("first")) or last.replace(day=1),
            asked_date(ask.said("last")) or last,
        )

    def try_out(self, ask: Ask, session: Session | None) -> Answer:
        """A dry run."""
        body = ask.said("rules").replace("\r\n", "\n")
        first, last = self._days(ask)
        try:
            found = matching_desk(self._desk).dry_run(body, day_of(first), day_of(last))
        except (RulesInvalid, MatchRefused) as refused:
            return self.show(ask, session, body, wrong=str(refused))
        return self.show(ask, session, body, found)

    def put(self, ask: Ask, session: Session | None) -> Answer:
        """Put rules in force, as the next version."""
        who, why = signed(session), ask.said("why")
        body = ask.said("rules").replace("\r\n", "\n")
        book = Rulebook(
            self._desk.database, writing(self._desk, said(who, ask, "rules put in force", RULES_NAME, why))
        )
        try:
            matching_desk(self._desk).put_rules(body, why, who.name, book)
        except (RulesInvalid, RuleRefused) as refused:
            return self.show(ask, session, body, wrong=str(refused))
        return to(ROOT)
