"""Suggestions that wait for a person, side by side and many at once; and the matches of a night, to look at and to undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from keys.clock import Day, date_of, day_of
from ledger.http import cursors
from settlement.console.acting import matching_desk, said
from settlement.console.calls import Page
from settlement.console.matches import store
from settlement.console.matches.store import Made, Wanted
from settlement.console.nights import asked_date
from settlement.console.pages import Pages, number_of, signed
from settlement.errors import MatchRefused
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

SUGGESTIONS: Final = "/console/suggestions"
MATCHES: Final = "/console/matches"
ROWS: Final = 50
_TEXT_MAX: Final = 80
_BANK_MAX: Final = 9999
_PERCENT: Final = 100


def address(root: str, **told: object) -> str:
    """An address with what is asked for in it; what is empty is left out."""
    query = urlencode({name: str(value) for name, value in told.items() if value})
    return f"{root}?{query}" if query else root


class MatchPages(Pages):
    """The pages of suggestions and of matches."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", SUGGESTIONS, Right.LOOK, self.suggestions),
            Page("POST", SUGGESTIONS, Right.WORK, self.decide),
            Page("GET", MATCHES, Right.LOOK, self.matches),
            Page("POST", MATCHES, Right.WORK, self.undo),
        )

    def suggestions(self, ask: Ask, session: Session | None) -> Answer:
        """What waits, the likeliest first."""
        wanted = Wanted(
            min(number_of(ask.asked("bank")), _BANK_MAX), min(number_of(ask.asked("score")), _PERCENT),
            ask.asked("q").strip()[:_TEXT_MAX],
        )  # fmt: skip
        here = {"bank": wanted.bank, "score": wanted.score, "q": wanted.text}
        behind: Any = cursors.read(f"suggestions {wanted}", ask.asked("cursor"), (int, int))
        with self._desk.database.transaction() as connection:
            found = store.waiting(connection, wanted, behind, ROWS + 1)
            totals = store.waiting_totals(connection, wanted)
        following = ""
        if len(found) > ROWS:
            last = found[ROWS - 1].suggestion
            following = address(SUGGESTIONS, **here, cursor=cursors.written(f"suggestions {wanted}", (last.score, last.number)))  # fmt: skip
        return self._drawing.page(
            "suggestions.html", ask, session, root=SUGGESTIONS, found=found[:ROWS], totals=totals, wanted=wanted, next=following,
            banks=self._desk.participants.banks.values(), bank=self._desk.bank, here_now=address(SUGGESTIONS, **here),
        )  # fmt: skip

    def decide(self, ask: Ask, session: Session | None) -> Answer:
        """Accept or reject what was chosen; each by itself, so that one that another took meanwhile hinders none."""
        act, why, who = ask.said("act"), ask.said("why"), signed(session)
        if act not in {"accept", "reject"}:
            raise MatchRefused("choose what to do with them: accept or reject")

        def one(number: str) -> None:
            entry = said(who, ask, f"suggestion {act}ed", number, why)
            desk = matching_desk(self._desk, entry)
            if act == "accept":
                desk.accept(number_of(number), who.name)
            else:
                desk.reject(number_of(number), who.name, why)

        return self._each(ask, session, SUGGESTIONS, ask.chosen("suggestion"), one)

    def matches(self, ask: Ask, session: Session | None) -> Answer:
        """The matches that a night made, the newest first."""
        day = asked_date(ask.asked("night"))
        with self._desk.database.transaction() as connection:
            night = day_of(day) if day else store.last_night(connection)
            asked = Made(
                night or Day(self._desk.ledger.open_window()), min(number_of(ask.asked("bank")), _BANK_MAX),
                ask.asked("rule")[:_TEXT_MAX], ask.asked("people") == "1", ask.asked("undone") == "1",
            )  # fmt: skip
            here = {
                "night": date_of(asked.night), "bank": asked.bank, "rule": asked.rule, "people": int(asked.people),
                "undone": int(asked.undone),
            }  # fmt: skip
            behind: Any = cursors.read(f"matches {asked}", ask.asked("cursor"), (int,)) or (0,)
            found = store.made(connection, asked, behind[0], ROWS + 1)
            totals = store.made_totals(connection, asked)
        following = ""
        if len(found) > ROWS:
            following = address(MATCHES, **here, cursor=cursors.written(f"matches {asked}", (found[ROWS - 1].number,)))  # fmt: skip
        return self._drawing.page(
            "matches.html", ask, session, root=MATCHES, found=found[:ROWS], totals=totals, asked=asked, next=following,
            rules=sorted({one[0] for one in totals} | ({asked.rule} - {""})), banks=self._desk.participants.banks.values(),
            bank=self._desk.bank, here_now=address(MATCHES, **here),
        )  # fmt: skip

    def undo(self, ask: Ask, session: Session | None) -> Answer:
        """Undo what was chosen; no rule puts their members together again."""
        why, who = ask.said("why"), signed(session)

        def one(number: str) -> None:
            entry = said(who, ask, "match undone", f"match {number}", why)
            matching_desk(self._desk, entry).undo(number_of(number), who.name, why)

        return self._each(ask, session, MATCHES, ask.chosen("match"), one)
