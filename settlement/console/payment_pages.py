"""Payment files: who stands behind one, who lets it go to its bank (four eyes), and what the bank reports of its payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from keys.clock import date_of, day_of
from ledger.http import cursors
from settlement.console.acting import said, writing
from settlement.console.calls import FORM_BYTES_MAX, Page
from settlement.console.import_pages import plain_name
from settlement.console.nights import asked_date
from settlement.console.pages import Pages, number_of, signed
from settlement.console.payments import store
from settlement.console.payments.store import Filters, State
from settlement.errors import ReleaseRefused, ReportRefused
from settlement.payments.city import city_rails
from settlement.rulebook.book import Rulebook
from settlement.staff.roles import Right
from settlement.store import payment_files_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Day
    from settlement.console.calls import Answer, Ask
    from settlement.payments.desk import Also
    from settlement.staff.sessions import Session

ROOT: Final = "/console/payments"
ROWS: Final = 50
REPORT_BYTES_MAX: Final = 10 * 1024 * 1024
TONES: Final = {State.WAITING: "amber", State.MADE: "blue", State.RELEASED: "green"}
_BANK_MAX: Final = 9999


def address_of(filters: Filters, cursor: str = "") -> str:
    """The address that asks for these filters."""
    told = {"state": filters.state or "", "bank": str(filters.bank or ""), "cursor": cursor}
    query = urlencode({name: value for name, value in told.items() if value})
    return f"{ROOT}?{query}" if query else ROOT


def file_of(text: str) -> tuple[Day, int]:
    """The window and bank that a form names as 2026-11-18/9; raises ReleaseRefused."""
    day, bank = asked_date(text.partition("/")[0]), number_of(text.partition("/")[2])
    if day is None or not 0 < bank <= _BANK_MAX:
        raise ReleaseRefused(f"{text[:40]!r} is no payment file: choose one of the list")
    return day_of(day), bank


class PaymentPages(Pages):
    """The pages under /console/payments."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", ROOT, Right.LOOK, self.files),
            Page("POST", f"{ROOT}/make", Right.WORK, self.make),
            Page("POST", f"{ROOT}/release", Right.APPROVE, self.release),
            Page("POST", f"{ROOT}/reports", Right.WORK, self.report, REPORT_BYTES_MAX + FORM_BYTES_MAX),
            Page("GET", f"{ROOT}/{{day}}/{{bank}}", Right.LOOK, self.file),
        )

    def files(self, ask: Ask, session: Session | None, told: tuple[tuple[str, str, str], ...] = ()) -> Answer:
        """Files of the newest windows first; `told` is what reports said that were just taken in."""
        state, bank = ask.asked("state"), number_of(ask.asked("bank"))
        filters = Filters(State(state) if state in set(State) else None, bank if bank <= _BANK_MAX else 0)
        behind: Any = cursors.read(f"payments {filters}", ask.asked("cursor"), (int, int))
        with self._desk.database.transaction() as connection:
            found = store.page(connection, filters, behind, ROWS + 1)
            totals = store.totals(connection, filters)
            outcomes = store.outcomes(connection, {one.file.business_date for one in found})
        following = ""
        if len(found) > ROWS:
            last = found[ROWS - 1].file
            following = address_of(filters, cursors.written(f"payments {filters}", (last.business_date, last.bank)))  # fmt: skip
        return self._drawing.page(
            "payments.html", ask, session, root=ROOT, found=found[:ROWS], totals=totals, outcomes=outcomes, told=told,
            filters=filters, states=list(State), tones=TONES, banks=self._desk.participants.banks.values(),
            bank=self._desk.bank, next=following, here_now=address_of(filters),
        )  # fmt: skip

    def file(self, ask: Ask, session: Session | None) -> Answer:
        """One file: its payments by rail, when they are due, what they cost, and what became of each."""
        try:
            day, bank = file_of(f"{ask.part('day')}/{ask.part('bank')}")
        except ReleaseRefused as refused:
            return self._missing(ask, session, str(refused))
        of = f"payments of {day} {bank}"
        behind: Any = cursors.read(of, ask.asked("cursor"), (str,)) or ("",)
        rules = city_rails(Rulebook(self._desk.database))
        with self._desk.database.transaction() as connection:
            files = [one for one in payment_files_of(connection, day) if one.bank == bank]
            listed = [
                one
                for one in store.page(connection, Filters(bank=bank), (day + 1, 0), 1)
                if one.file.business_date == day
            ]
            rows = store.payments(connection, day, bank, behind[0], ROWS + 1)
        if not files or not listed:
            return self._missing(ask, session, "That bank had nothing to pay on that day.")
        cursor = cursors.written(of, (rows[ROWS - 1][0].reference,)) if len(rows) > ROWS else ""
        return self._drawing.page(
            "payment.html", ask, session, root=ROOT, one=listed[0], day=date_of(day).isoformat(), bank=self._desk.bank(bank),
            rows=[(item, rules.fee(item.rail, day) if item.rail else 0, status, why) for item, status, why in rows[:ROWS]],
            tone=TONES[listed[0].state], State=State, me=signed(session).name, cursor=cursor,
        )  # fmt: skip

    def make(self, ask: Ask, session: Session | None) -> Answer:
        """Stand behind files."""
        desk = self._desk.night.payments

        def act(day: Day, bank: int, also: Also) -> object:
            return desk.make(day, bank, by=signed(session).name, at=self._desk.clock.now(), also=also)

        return self._acted(ask, session, "payment file made", act)

    def release(self, ask: Ask, session: Session | None) -> Answer:
        """Let files go that somebody else stands behind."""
        desk = self._desk.night.payments

        def act(day: Day, bank: int, also: Also) -> object:
            return desk.release(day, bank, by=signed(session).name, at=self._desk.clock.now(), also=also)

        return self._acted(ask, session, "payment file released", act)

    def _acted(
        self, ask: Ask, session: Session | None, what: str, act: Callable[[Day, int, Also], object]
    ) -> Answer:
        def one(text: str) -> None:
            day, bank = file_of(text)
            act(day, bank, writing(self._desk, said(signed(session), ask, what, text)))

        return self._each(ask, session, ROOT, ask.chosen("file"), one)

    def report(self, ask: Ask, session: Session | None) -> Answer:
        """Take status reports (pain.002) in: each is kept whole; one that cannot be used says why."""
        if not ask.uploads:
            raise ReportRefused("no file was sent: drop a status report on the page, or choose one")
        told = []
        for one in ask.uploads:
            name = plain_name(one.name)
            entry = said(signed(session), ask, "status report taken in", name)
            also = writing(self._desk, entry)
            report, outcomes = self._desk.night.payments.report(name, one.content, self._desk.clock.now(), also)  # fmt: skip
            where = f"line {report.line}: " if report.line else ""
            told.append((name, "refused" if report.reason else "taken in", f"{where}{report.reason}" if report.reason else f"{len(outcomes)} payments reported on"))  # fmt: skip
        return self.files(ask, session, tuple(told))
