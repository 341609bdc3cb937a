"""The night's pages: positions, payment files, statements, matches and breaks of one business date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from keys.clock import date_of, day_of, local
from settlement import store
from settlement.breaks.classifying import Reason
from settlement.console.calls import Page, download
from settlement.console.pages import Pages
from settlement.payments import store as payments
from settlement.positions.model import Purpose
from settlement.staff.roles import Right
from settlement.statements import store as statements
from settlement.statements.kept import Verdict
from settlement.view import report, view

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session
    from settlement.view import NightView

ROOT: Final = "/night"
ROWS_MAX: Final = 500
DAYS_MAX: Final = 400
DIGEST_CHARACTERS: Final = 64
_PURPOSES: Final = {
    Purpose.TAPS: "Fares and sales",
    Purpose.SUBSIDY: "Subsidy",
    Purpose.CASH: "Cash of agents",
    Purpose.OTHERS_CARDS: "Other issuers' cards",
}
TONES: Final = {
    Reason.AMOUNT_DIFFERS: "red",
    Reason.WRONG_BANK: "red",
    Reason.MISSING_ON_STATEMENT: "red",
    Reason.UNEXPECTED_ON_STATEMENT: "amber",
    Reason.AMBIGUOUS: "amber",
    Reason.DUPLICATE_LINE: "amber",
    Reason.RETURNED: "red",
    Reason.UNDONE: "amber",
    Reason.FEE: "amber",
}
_VERDICTS: Final = {Verdict.ACCEPTED: "green", Verdict.REFUSED: "red", Verdict.DUPLICATE: "amber"}


def asked_date(text: str) -> date | None:
    """A date as YYYY-MM-DD; None for anything else."""
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-18") else None
    except ValueError:
        return None


class NightPages(Pages):
    """The pages under /night."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", ROOT, Right.LOOK, self.nights),
            Page("GET", f"{ROOT}/statements/{{sha256}}", Right.LOOK, self.statement_file),
            Page("GET", f"{ROOT}/{{day}}", Right.LOOK, self.night),
            Page("GET", f"{ROOT}/{{day}}/files/{{bank}}", Right.LOOK, self.payment_file),
        )

    def nights(self, ask: Ask, session: Session | None) -> Answer:
        """All settled nights, newest first."""
        with self._desk.database.transaction() as connection:
            days = store.settled_days(connection)
        return self._drawing.page(
            "nights.html", ask, session, root=ROOT, days=[date_of(day) for day in days[:DAYS_MAX]]
        )

    def night(self, ask: Ask, session: Session | None) -> Answer:
        """One night."""
        day = asked_date(ask.part("day"))
        found = view(self._desk.database, day_of(day)) if day else None
        if found is None:
            what = f"{day.isoformat()} is not settled: run its night first." if day else "That is no date."
            return self._missing(ask, session, what, "No such night")
        return self._drawing.page("night.html", ask, session, **self._told(found))

    def _told(self, night: NightView) -> dict[str, Any]:
        return {
            "root": ROOT,
            "night": night,
            "report": report(night),
            "day": date_of(night.settlement.business_date),
            "closed_at": local(night.settlement.closed_at),
            "proofs": night.proofs,
            "waiting": frozenset(night.waiting),
            "banks": self._desk.bank,
            "purposes": _PURPOSES,
            "tones": TONES,
            "verdicts": _VERDICTS,
            "limit": ROWS_MAX,
        }

    def payment_file(self, ask: Ask, session: Session | None) -> Answer:
        """The bytes of a payment file, as they go to the bank; until it is released its name says that it is not, so that nobody sends it."""
        day, bank = asked_date(ask.part("day")), ask.part("bank")
        if day is not None:
            with self._desk.database.transaction() as connection:
                for file in store.payment_files_of(connection, day_of(day)):
                    if str(file.bank) == bank:
                        release = payments.release_of(connection, day_of(day), file.bank)
                        is_released = release is not None and release.is_released
                        return download(file.content, file.name if is_released else f"UNRELEASED-{file.name}")
        return self._missing(
            ask, session, "That bank had nothing to pay on that day.", "No such payment file"
        )

    def statement_file(self, ask: Ask, session: Session | None) -> Answer:
        """The bytes of a statement file, as the bank sent them."""
        sha256 = ask.part("sha256")
        is_digest = len(sha256) == DIGEST_CHARACTERS and set(sha256) <= set("0123456789abcdef")
        if is_digest:
            with self._desk.database.transaction() as connection:
                content = statements.content_of(connection, sha256)
            if content is not None:
                return download(bytes(content), f"statement-{sha256[:12]}")
        return self._missing(ask, session, "No file with this digest came in.", "No such statement file")
