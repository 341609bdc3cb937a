"""The night's pages: positions, payment files, statements, matches and breaks of one business date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from keys.clock import date_of, day_of, local
from ledger.http import cursors
from settlement import store
from settlement.breaks.model import Reason
from settlement.breaks.suspense import store as suspense
from settlement.console.calls import Page, download
from settlement.console.nightly import store as nightly
from settlement.console.pages import Pages
from settlement.payments import store as payments
from settlement.positions.model import Purpose
from settlement.staff.roles import Right
from settlement.statements import store as statements
from settlement.statements.kept import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keys.clock import Day
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

ROOT: Final = "/night"
ROWS: Final = 50
FILES_MAX: Final = 500
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


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of one of a night's lists; `next` is the cursor behind it, "" on the last."""

    rows: Sequence[Any]
    next: str


def _paged(
    ask: Ask, day: Day, name: str, kinds: Sequence[type[int | str]], read: Callable[[Any], Sequence[Any]],
    key: Callable[[Any], tuple[int | str, ...]],
) -> Listed:  # fmt: skip
    """The page of a list that an address asks for by the list's name; raises CursorRefused."""
    of = f"{name} of {day}"
    found = read(cursors.read(of, ask.asked(name), kinds))
    return Listed(found[:ROWS], cursors.written(of, key(found[ROWS - 1])) if len(found) > ROWS else "")


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
            days = store.settled_days(connection, DAYS_MAX)
        return self._drawing.page("nights.html", ask, session, root=ROOT, days=[date_of(day) for day in days])

    def night(self, ask: Ask, session: Session | None) -> Answer:
        """One night."""
        day = asked_date(ask.part("day"))
        if day is None:
            return self._missing(ask, session, "That is no date.", "No such night")
        told = self._told(ask, day_of(day))
        if told is None:
            what = f"{day.isoformat()} is not settled: run its night first."
            return self._missing(ask, session, what, "No such night")
        return self._drawing.page("night.html", ask, session, day=day, **told)

    def _told(self, ask: Ask, day: Day) -> dict[str, Any] | None:
        """A night's figures and a page of each of its lists; None where it is not settled."""
        with self._desk.database.transaction() as connection:
            settlement = store.settlement_of(connection, day)
            if settlement is None:
                return None
            lists = (
                _paged(ask, day, "positions", (int, int, int, int), lambda key: nightly.positions_page(connection, day, key, ROWS + 1), lambda one: (one.purpose, one.bank, one.code, one.number)),
                _paged(ask, day, "items", (str,), lambda key: nightly.items_page(connection, day, key[0] if key else "", ROWS + 1), lambda one: (one.item.reference,)),
                _paged(ask, day, "breaks", (int, int, str), lambda key: nightly.breaks_page(connection, day, key, ROWS + 1), lambda one: (int(not one.is_open), one.bank, one.break_id)),
            )  # fmt: skip
            told = dict(zip(("positions", "items", "breaks"), lists, strict=True))
            return told | {
                "settlement": settlement, "figures": nightly.figures(connection, day), "sums": suspense.sums(connection, day),
                "files": payments.files_of(connection, day), "statement_files": statements.files_of(connection, day)[:FILES_MAX],
                "statements": statements.statements_of(connection, day)[:FILES_MAX], "closed_at": local(settlement.closed_at),
                "root": ROOT, "banks": self._desk.bank, "purposes": _PURPOSES, "tones": TONES, "verdicts": _VERDICTS,
            }  # fmt: skip

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
