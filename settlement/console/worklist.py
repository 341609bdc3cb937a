"""The worklist: everything that somebody must look at, in one list; its filters live in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from keys.money import Sen
from ledger.cardholder.disputes import Reason as Disputed
from ledger.errors import CursorRefused
from ledger.http import cursors
from ledger.intake.reasons import ExceptionKind
from ledger.intake.reasons import Reason as Quarantined
from settlement.breaks.model import Reason
from settlement.console import store
from settlement.console.calls import Page
from settlement.console.nights import TONES
from settlement.console.pages import Pages
from settlement.console.store import Filters, Source
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.console.desk import Desk
    from settlement.console.store import Total, Work
    from settlement.staff.sessions import Session

ROOT: Final = "/console/worklist"
ROWS: Final = 50
TEXT_CHARACTERS_MAX: Final = 80
BUCKETS: Final = ((24, "up to 24 h"), (72, "up to 72 h"), (120, "up to 120 h"))
OLDER: Final = "older"
_HOUR_MS: Final = 3_600_000
_TONES: Final = {Source.BREAK: "amber", Source.QUARANTINE: "red", Source.EXCEPTION: "amber", Source.DISPUTE: "blue"}  # fmt: skip
_BY_REASON: Final = {reason.value: tone for reason, tone in TONES.items()}


REASONS: Final = (
    ("Breaks", [one.value for one in Reason]),
    ("Quarantine", [one.value for one in Quarantined]),
    ("Exceptions", [one.value for one in ExceptionKind]),
    ("Disputes", [one.value for one in Disputed]),
)
_PLACES: Final = {
    Source.BREAK: "/console/breaks/", Source.QUARANTINE: "/console/intake/quarantine/",
    Source.EXCEPTION: "/console/intake/exception/", Source.DISPUTE: "/console/disputes/",
}  # fmt: skip


def place_of(work: Work) -> str:
    """The address of a piece of work."""
    return _PLACES[work.source] + quote(work.key, safe="")


def bucket(at: int, now: int) -> str:
    """How old something is, as its age is reported: up to 24, 72, 120 hours, or older."""
    hours = max(0, now - at) / _HOUR_MS
    return next((name for most, name in BUCKETS if hours <= most), OLDER)


def tone(work: Work) -> str:
    """The colour (and so the shape) of a piece of work."""
    return _BY_REASON.get(work.reason, _TONES[work.source])


def asked_filters(ask: Ask) -> Filters:
    """The filters of an address; what cannot be one asks for all."""
    source, bank = ask.asked("source"), ask.asked("bank")
    return Filters(
        source=Source(source) if source in set(Source) else None,
        reason=ask.asked("reason")[:TEXT_CHARACTERS_MAX],
        bank=int(bank) if bank.isascii() and bank.isdigit() and len(bank) <= 4 else 0,  # noqa: PLR2004
        text=ask.asked("q").strip()[:TEXT_CHARACTERS_MAX],
        closed=ask.asked("closed") == "1",
        newest=ask.asked("order") == "newest",
    )


def address_of(filters: Filters, root: str = ROOT, **more: str) -> str:
    """The address that asks for these filters."""
    told = {
        "source": filters.source or "", "reason": filters.reason, "bank": str(filters.bank or ""),
        "q": filters.text, "closed": "1" if filters.closed else "", "order": "newest" if filters.newest else "",
    }  # fmt: skip
    query = urlencode({name: value for name, value in (told | more).items() if value})
    return f"{root}?{query}" if query else root


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the worklist; `next` is the address of the page behind, "" on the last."""

    filters: Filters
    rows: tuple[Work, ...]
    totals: tuple[Total, ...]
    next: str

    @property
    def count(self) -> int:
        """How much work there is by these filters."""
        return sum(one.count for one in self.totals)

    @property
    def amount(self) -> Sen:
        """The sum of its amounts."""
        return Sen(sum(one.amount for one in self.totals))


def listed(desk: Desk, filters: Filters, cursor: str, limit: int = ROWS) -> Listed:
    """A page of the list; raises CursorRefused where the cursor is none of this list."""
    behind: Any = cursors.read(f"worklist {filters}", cursor, (int, str, str))
    with desk.database.transaction() as connection:
        rows = store.page(connection, filters, behind, limit + 1)
        totals = store.totals(connection, filters)
    following = ""
    if len(rows) > limit:
        following = cursors.written(f"worklist {filters}", rows[limit - 1].place)
    return Listed(
        filters,
        tuple(rows[:limit]),
        tuple(totals),
        address_of(filters, cursor=following) if following else "",
    )


class WorklistPages(Pages):
    """The list's page."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (Page("GET", ROOT, Right.LOOK, self.worklist),)

    def worklist(self, ask: Ask, session: Session | None) -> Answer:
        """A page of it."""
        filters = asked_filters(ask)
        try:
            found = listed(self._desk, filters, ask.asked("cursor"))
        except CursorRefused as refused:
            return self._drawing.message(ask, session, "No such page", str(refused), 400)
        now = self._desk.clock.now()
        return self._drawing.page(
            "worklist.html", ask, session,
            found=found, filters=filters, root=ROOT, sources=list(Source), reasons=REASONS, tone=tone,
            banks=self._desk.participants.banks.values(), bank=self._desk.bank, address_of=address_of, place=place_of,
            age=lambda at: bucket(at, now), here_now=address_of(filters),
        )  # fmt: skip
