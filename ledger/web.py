"""The cardholder's balance page: what the card's own evidence says, without an app, without a script."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Final

from babel.dates import format_datetime
from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from card.layout import TapKind
from keys.clock import UnixMs, local
from keys.money import Sen, display
from ledger.chart import purse
from ledger.intake import store

if TYPE_CHECKING:
    from ledger.book import Ledger
    from ledger.intake.registry import Card, Registry
    from ledger.intake.store import TapRow

TAPS_SHOWN: Final = 10
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_KINDS: Final = {
    TapKind.FARE: "Naik bus",
    TapKind.SALE: "Belanja",
    TapKind.LOAD: "Isi saldo",
    TapKind.REFUND: "Pengembalian",
    TapKind.TAP_IN: "Tap masuk",
    TapKind.TAP_OUT: "Tap keluar",
}


class BalancePages:
    """The pages over one ledger."""

    def __init__(self, ledger: Ledger, registry: Registry) -> None:
        self._ledger = ledger
        self._registry = registry
        self._templates = Environment(
            loader=PackageLoader("ledger"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["rupiah"] = lambda sen: display(Sen(sen))
        self._templates.filters["moment"] = _moment

    def balance(self, token: str) -> HTMLResponse:
        """A card's page; an unknown token gets the same page whatever it is."""
        card = self._registry.card_of_token(token)
        if card is None:
            return self._html("unknown.html", 404)
        account = purse(card.card_number)
        balance = self._ledger.balance(account)
        return self._html(
            "balance.html", 200, balance=balance.net(account), pending=balance.credits_pending, taps=self._taps(card),
            kinds=_KINDS,
        )  # fmt: skip

    def _taps(self, card: Card) -> list[TapRow]:
        with self._ledger.database.transaction() as connection:
            return store.taps_of(connection, card.partition, card.uid, TAPS_SHOWN)

    def _html(self, template: str, status: int, **told: object) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(**told), status, HEADERS)


def _moment(at: int) -> str:
    """A moment as CLDR writes it in Indonesian, on the city's clock."""
    return format_datetime(local(UnixMs(at)), "d MMMM y, HH.mm", locale="id_ID")


def router(ledger: Ledger, registry: Registry) -> APIRouter:
    """The routes of the balance page."""
    pages = BalancePages(ledger, registry)
    routes = APIRouter(include_in_schema=False)

    @routes.get("/c/{token}")
    def get_balance(token: Annotated[str, Path(max_length=64)]) -> HTMLResponse:
        """A card's page."""
        return pages.balance(token)

    @routes.get("/static/balance.css")
    def get_style() -> Response:
        """The page's style."""
        style = files("ledger").joinpath("static/balance.css").read_bytes()
        return Response(style, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})

    return routes
