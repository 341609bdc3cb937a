"""Exports: the worklist by its filters, and a night's report, each as XLSX, CSV or PDF with the same figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.clock import date_of, day_of
from keys.money import Sen
from settlement.console import sheets
from settlement.console.acting import said
from settlement.console.calls import Page, download
from settlement.console.drawing import minute
from settlement.console.nights import asked_date
from settlement.console.pages import Pages
from settlement.console.sheets import Column, Sheet, written
from settlement.console.store import page
from settlement.console.worklist import asked_filters
from settlement.staff.roles import Right
from settlement.view import report, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.store import Database
    from settlement.console.calls import Answer, Ask
    from settlement.console.store import Filters
    from settlement.staff.sessions import Session
    from settlement.view import NightView

ROWS_MAX: Final = 50_000


class ExportPages(Pages):
    """The addresses of exports."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", "/console/exports/worklist/{kind}", Right.LOOK, self.worklist),
            Page("GET", "/console/exports/night/{day}/{kind}", Right.LOOK, self.night),
        )

    def worklist(self, ask: Ask, session: Session | None) -> Answer:
        """All rows that the filters of the address leave."""
        kind = ask.part("kind")
        if kind not in sheets.TYPES:
            return self._none(ask, session)
        return self._sent(
            ask,
            session,
            worklist_sheet(self._desk.database, self._desk.bank, asked_filters(ask)),
            kind,
            "worklist",
        )

    def night(self, ask: Ask, session: Session | None) -> Answer:
        """A night's positions and figures."""
        kind, day = ask.part("kind"), asked_date(ask.part("day"))
        found = view(self._desk.database, day_of(day)) if day and kind in sheets.TYPES else None
        if found is None or day is None:
            return self._none(ask, session)
        return self._sent(ask, session, night_sheet(self._desk.bank, found), kind, f"night-{day.isoformat()}")

    def _sent(self, ask: Ask, session: Session | None, sheet: Sheet, kind: str, name: str) -> Answer:
        assert session is not None  # noqa: S101  the gate lets nobody else in
        self._desk.office.log(said(session, ask, "exported", f"{name}.{kind}", f"{len(sheet.rows)} rows"))
        return download(written(sheet, kind), f"{name}.{kind}", sheets.TYPES[kind])

    def _none(self, ask: Ask, session: Session | None) -> Answer:
        text = "There is no such export: xlsx, csv or pdf, of the worklist or of a settled night."
        return self._missing(ask, session, text, "No such export")


def worklist_sheet(database: Database, bank: Callable[[int], str], filters: Filters) -> Sheet:
    """The worklist as a sheet, at most `ROWS_MAX` rows."""
    with database.transaction() as connection:
        found = page(connection, filters, None, ROWS_MAX)
    columns = (
        Column("Found at", width=15), Column("What", width=11), Column("Id", width=18), Column("Reason", width=20),
        Column("Bank", width=18), Column("Reference", width=26), Column("Evidence", width=48), Column("Amount", money=True, width=16),
    )  # fmt: skip
    rows = [
        (
            minute(one.at), one.source.value, one.key, one.reason, bank(one.bank) if one.bank else "",
            one.reference, one.detail, None if one.amount is None else Sen(one.amount),
        )
        for one in found
    ]  # fmt: skip
    return Sheet("Worklist", columns, rows)


def night_sheet(bank: Callable[[int], str], night: NightView) -> Sheet:
    """A night's report as a sheet: its positions, then what statements moved and where that stands."""
    columns = (
        Column("What", width=18), Column("Bank", width=24), Column("Party", width=30), Column("Gross", money=True),
        Column("Refunds", money=True), Column("Fee", money=True), Column("Net", money=True),
    )  # fmt: skip
    rows = [
        (
            one.purpose.name.lower().replace("_", " "), bank(one.bank), one.name, one.gross, one.refunds,
            one.fee, one.net,
        )
        for one in night.positions
    ]  # fmt: skip
    told = report(night)
    title = (
        f"Night of {date_of(told.business_date).isoformat()}: {told.positions} positions, {told.payments} payments, "
        f"{told.statements} statements, {sum(count for _, count in told.breaks_by_reason)} open breaks"
    )
    return Sheet(title, columns, rows)
