"""What a city goes by: bank days, rails, mappings of banks' tables, payment templates, and who takes part.

All may look; a checker decides, with a reason. Who is paid where changes in a shell, where a second person is named.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from keys.clock import date_of, day_of, local
from settlement.breaks.proposals.limits import limit_of
from settlement.calendar.city import city_calendar, decide
from settlement.calendar.indonesia import FIRST_YEAR, LAST_YEAR, SOURCE
from settlement.console.acting import said, writing
from settlement.console.calls import Page, to
from settlement.console.nights import asked_date
from settlement.console.pages import Pages, number_of, signed
from settlement.errors import CalendarEnds, RuleRefused
from settlement.payments.city import city_rails, rail_rows
from settlement.payments.table import template_of
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from settlement.staff.roles import Right
from settlement.statements.mapped.mapping import mapping_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.console.calls import Answer, Ask
    from settlement.participants import Party
    from settlement.staff.sessions import Session

CALENDAR: Final = "/console/calendar"
BOOK: Final = "/console/book"
PARTIES: Final = "/console/parties"
_TOO_WRONG: Final = 422
_BANKS: Final = {"open": True, "closed": False, "back": None}
_DECIDED: Final = {True: "banks work", False: "banks are closed", None: "as the calendar has it"}


class Chapter(NamedTuple):
    """A kind of page that is written as JSON: its title, and what refuses a draft that is none."""

    kind: RuleKind
    title: str
    check: Callable[[str, Any], object]


CHAPTERS: Final = {
    "rails": Chapter(RuleKind.RAIL, "Rails", lambda _, told: rail_rows(told)),
    "mappings": Chapter(RuleKind.MAPPING, "Mappings of banks' tables", lambda name, told: mapping_of(name, 1, told)),
    "templates": Chapter(
        RuleKind.PAYMENT_TEMPLATE, "Payment templates", lambda _, told: told is None or template_of(told)
    ),
    "write-offs": Chapter(RuleKind.WRITE_OFF, "Limit of write-offs", limit_of),
}  # fmt: skip


class BookPages(Pages):
    """The pages under /console/calendar, /console/book and /console/parties."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", CALENDAR, Right.LOOK, self.calendar),
            Page("POST", CALENDAR, Right.APPROVE, self.decide),
            Page("GET", BOOK, Right.LOOK, self.book),
            Page("POST", BOOK, Right.APPROVE, self.keep),
            Page("GET", PARTIES, Right.LOOK, self.parties),
        )

    def calendar(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """The days of a year on which banks are closed, and every decision about single days."""
        asked = number_of(ask.asked("year")) or date_of(self._desk.ledger.open_window()).year
        year = min(max(asked, FIRST_YEAR), LAST_YEAR)
        book = Rulebook(self._desk.database)
        closed = city_calendar(book).closures(date(year, 1, 1), date(year, 12, 31))
        pages = [page for page in book.current(RuleKind.BANK_DAY) if page.name.startswith(f"{year}-")]
        return self._drawing.page(
            "calendar.html", ask, session, _TOO_WRONG if wrong else 200, root=CALENDAR, year=year, closed=closed, wrong=wrong,
            decisions=[(page, _DECIDED[page.told["open"]]) for page in pages], first=FIRST_YEAR, last=LAST_YEAR, source=SOURCE,
        )  # fmt: skip

    def decide(self, ask: Ask, session: Session | None) -> Answer:
        """Decide that banks work on a day, or do not."""
        wanted, banks = asked_date(ask.said("day")), ask.said("banks")
        if wanted is None or banks not in _BANKS:
            return self.calendar(ask, session, "say a day, and whether banks work on it")
        book = self._logged(ask, session, "bank day decided", f"{wanted.isoformat()}: {banks}")
        try:
            decide(
                book, day_of(wanted), is_open=_BANKS[banks], author=signed(session).name,
                reason=ask.said("why").strip(), at=self._desk.clock.now(),
            )  # fmt: skip
        except (RuleRefused, CalendarEnds) as refused:
            return self.calendar(ask, session, str(refused))
        return to(f"{CALENDAR}?year={wanted.year}")

    def book(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """The rails of today, and the pages that the city wrote itself."""
        book = Rulebook(self._desk.database)
        rules, today = city_rails(book), day_of(local(self._desk.clock.now()).date())
        rails = [(rail, row, rules.hours.on(rail.name, today)) for rail, row in rules.held(today).items()]
        chapters = [
            (name, one.title, [(page, json.dumps(page.told, indent=1, ensure_ascii=False)) for page in book.current(one.kind)])
            for name, one in CHAPTERS.items()
        ]  # fmt: skip
        return self._drawing.page(
            "book.html", ask, session, _TOO_WRONG if wrong else 200, root=BOOK, rails=rails, chapters=chapters, wrong=wrong,
            draft={name: ask.said(name) for name in ("chapter", "name", "content", "why")},
        )  # fmt: skip

    def keep(self, ask: Ask, session: Session | None) -> Answer:
        """Keep a page, or a new version of one: it holds from now on."""
        chapter, name, author = CHAPTERS.get(ask.said("chapter")), ask.said("name").strip(), signed(session)
        if chapter is None:
            return self.book(
                ask, session, "say whether it is a rail, a mapping, a template or the limit of write-offs"
            )
        book = self._logged(ask, session, f"{chapter.kind} kept", name)
        try:
            told = json.loads(ask.said("content"))
            chapter.check(name, told)
            book.add(
                chapter.kind, name, told, author=author.name, reason=ask.said("why").strip(), at=self._desk.clock.now()
            )  # fmt: skip
        except json.JSONDecodeError as error:
            return self.book(ask, session, f"this is no JSON: {error}")
        except RecursionError:
            return self.book(ask, session, "this is no page of the rule book: it is nested too deeply")
        except RuleRefused as refused:
            return self.book(ask, session, str(refused))
        return to(BOOK)

    def parties(self, ask: Ask, session: Session | None) -> Answer:
        """Who takes part, and where each is paid."""
        known = self._desk.participants
        groups: list[tuple[str, list[Party]]] = [
            ("Operators", list(known.operators.values())),
            ("Merchants", list(known.merchants.values())),
            ("Agents", list(known.agents.values())),
            ("City", [known.city]),
        ]
        return self._drawing.page(
            "parties.html",
            ask,
            session,
            banks=list(known.banks.values()),
            groups=groups,
            bank=self._desk.bank,
        )

    def _logged(self, ask: Ask, session: Session | None, what: str, subject: str) -> Rulebook:
        """The rulebook, whose next page stands or falls with its entry in the log."""
        entry = said(signed(session), ask, what, subject, ask.said("why").strip())
        return Rulebook(self._desk.database, writing(self._desk, entry))
