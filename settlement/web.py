"""The night's page for bank staff: positions, payment files, statements, matches and breaks. Reads only; works without scripts."""

from __future__ import annotations

from datetime import date  # noqa: TC003  FastAPI reads the route's annotations
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from keys.clock import Day, date_of, day_of, local
from keys.money import Sen, display
from settlement import store
from settlement.breaks.classifying import Reason
from settlement.positions.model import Purpose
from settlement.statements import store as statements
from settlement.statements.kept import Verdict
from settlement.view import report, view

if TYPE_CHECKING:
    from ledger.store import Database
    from settlement.participants import Participants
    from settlement.view import NightView

ROOT: Final = "/night"
ROWS_MAX: Final = 500
DAYS_MAX: Final = 400
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PURPOSES: Final = {
    Purpose.TAPS: "Fares and sales",
    Purpose.SUBSIDY: "Subsidy",
    Purpose.CASH: "Cash of agents",
    Purpose.OTHERS_CARDS: "Other issuers' cards",
}
_TONES: Final = {
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


class Pages:
    """The pages over one database; each answer carries the strict headers."""

    def __init__(self, database: Database, participants: Participants) -> None:
        self._database = database
        self._participants = participants
        self._templates = Environment(
            loader=PackageLoader("settlement"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["rupiah"] = lambda sen: display(Sen(sen))
        self._templates.filters["date"] = lambda day: date_of(Day(day)).isoformat()

    def nights(self) -> HTMLResponse:
        """All settled nights, newest first."""
        with self._database.transaction() as connection:
            days = store.settled_days(connection)
        return self._html("nights.html", days=[date_of(day) for day in days[:DAYS_MAX]])

    def night(self, day: date) -> HTMLResponse:
        """One night."""
        found = view(self._database, day_of(day))
        if found is None:
            return self._missing("No such night", f"{day.isoformat()} is not settled: run its night first.")
        return self._html("night.html", **self._told(found))

    def _told(self, night: NightView) -> dict[str, Any]:
        return {
            "night": night,
            "report": report(night),
            "day": date_of(night.settlement.business_date),
            "closed_at": local(night.settlement.closed_at),
            "proofs": night.proofs,
            "waiting": frozenset(night.waiting),
            "banks": self._bank,
            "purposes": _PURPOSES,
            "tones": _TONES,
            "verdicts": _VERDICTS,
            "limit": ROWS_MAX,
        }

    def _bank(self, code: int) -> str:
        bank = self._participants.banks.get(code)
        return bank.name if bank else f"bank {code:04d}"

    def payment_file(self, day: date, bank: int) -> Response:
        """The bytes of a payment file, as they went to the bank."""
        with self._database.transaction() as connection:
            kept = store.payment_files_of(connection, day_of(day))
        file = next((one for one in kept if one.bank == bank), None)
        if file is None:
            return self._missing(
                "No such payment file", f"Bank {bank:04d} had nothing to pay on {day.isoformat()}."
            )
        return _download(file.content, file.name)

    def statement_file(self, sha256: str) -> Response:
        """The bytes of a statement file, as the bank sent them."""
        with self._database.transaction() as connection:
            content = statements.content_of(connection, sha256)
        if content is None:
            return self._missing("No such statement file", "No file with this digest came in.")
        return _download(content, f"statement-{sha256[:12]}")

    def _html(self, template: str, status: int = 200, **told: Any) -> HTMLResponse:
        page = self._templates.get_template(template).render(root=ROOT, **told)
        return HTMLResponse(page, status, HEADERS)

    def _missing(self, heading: str, text: str) -> HTMLResponse:
        return self._html("message.html", 404, heading=heading, text=text)


def _download(content: bytes, name: str) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=HEADERS | disposition)


def router(database: Database, participants: Participants) -> APIRouter:
    """The routes under /night: the list, a night, its files, and the style sheet."""
    pages = Pages(database, participants)
    routes = APIRouter(prefix=ROOT, include_in_schema=False)
    style = files("settlement").joinpath("static", "settlement.css").read_bytes()

    @routes.get("")
    def nights() -> Response:
        return pages.nights()

    @routes.get("/static/settlement.css")
    def style_sheet() -> Response:
        return Response(style, media_type="text/css", headers=HEADERS | {"Cache-Control": "max-age=3600"})

    @routes.get("/statements/{sha256}")
    def statement_file(sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]) -> Response:
        return pages.statement_file(sha256)

    @routes.get("/{business_date}")
    def night(business_date: date) -> Response:
        return pages.night(business_date)

    @routes.get("/{business_date}/files/{bank}")
    def payment_file(business_date: date, bank: Annotated[int, Path(ge=1, le=9999)]) -> Response:
        return pages.payment_file(business_date, bank)

    return routes
