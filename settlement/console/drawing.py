"""Templates into answers: money, days and moments as people in Semarang write them; nothing a bank says is ever markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from keys.clock import Day, UnixMs, date_of, local
from keys.money import Sen, display
from settlement.console.calls import Answer
from settlement.staff.roles import Right
from settlement.staff.sessions import form_token

if TYPE_CHECKING:
    from settlement.console.calls import Ask
    from settlement.staff.sessions import Session

MENU: Final = (
    ("Work", (
        ("/console", "Overview", "o", Right.LOOK),
        ("/console/worklist", "Worklist", "w", Right.LOOK),
        ("/console/suggestions", "Suggestions", "s", Right.LOOK),
        ("/console/disputes", "Disputes", "d", Right.LOOK),
        ("/console/claims", "Claims", "c", Right.LOOK),
    )),
    ("Money", (
        ("/night", "Nights", "n", Right.LOOK),
        ("/console/windows", "Windows", "t", Right.LOOK),
        ("/console/payments", "Payments", "p", Right.LOOK),
        ("/console/import", "Statements", "i", Right.LOOK),
        ("/console/matches", "Matches", "m", Right.LOOK),
        ("/console/rules", "Rules", "r", Right.LOOK),
        ("/console/figures", "Figures", "f", Right.LOOK),
    )),
    ("City", (
        ("/console/calendar", "Bank days", "y", Right.LOOK),
        ("/console/book", "Rule book", "b", Right.LOOK),
        ("/console/parties", "Parties", "e", Right.LOOK),
    )),
    ("Office", (
        ("/console/log", "Log", "l", Right.AUDIT),
        ("/console/accounts", "Accounts", "a", Right.ACCOUNTS),
    )),
)  # fmt: skip
"""The menu by groups: where it leads, what it says, the key behind `g`, and who sees it."""


def day(number: int) -> str:
    """A day, as 2026-11-18."""
    return date_of(Day(number)).isoformat()


def minute(at: int) -> str:
    """A moment on the city's clock, to the minute."""
    return local(UnixMs(at)).strftime("%Y-%m-%d %H:%M")


class Drawing:
    """Draws pages."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("settlement.console"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters |= {
            "rupiah": lambda sen: display(Sen(sen)), "day": day, "date": day, "minute": minute,
        }  # fmt: skip

    def page(
        self, template: str, ask: Ask, session: Session | None, status: int = 200, **told: Any
    ) -> Answer:
        """A whole page, for whom it is."""
        inside = session is not None and session.stage == "in"
        menu = [
            (name, [one for one in group if inside and session is not None and session.may(one[3])])
            for name, group in MENU
        ]
        text = self._templates.get_template(template).render(
            session=session if inside else None, menu=[one for one in menu if one[1]], here=ask.path, Right=Right,
            form_token=form_token(ask.token or ask.visitor), **told,
        )  # fmt: skip
        return Answer(text.encode(), status)

    def message(
        self, ask: Ask, session: Session | None, heading: str, text: str, status: int = 200
    ) -> Answer:
        """A page that says one thing."""
        return self.page("message.html", ask, session, status, heading=heading, text=text)
