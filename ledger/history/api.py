"""Statements and past balances over HTTP, as JSON or CSV. Pages keep the bound of the first, however much is posted meanwhile."""

from __future__ import annotations

import csv
import io
from datetime import date  # noqa: TC003  FastAPI reads it
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from keys.clock import Day, UnixMs, date_of, day_of, local
from keys.money import plain
from ledger.books.api import Account, account_json, read_account
from ledger.chart import describe
from ledger.clients.scopes import Scope
from ledger.errors import AccountUnknown, CursorInvalid, ScopeMissing, StorageError, TokenRefused
from ledger.history.statement import state_of
from ledger.http.api import AccountNumber, client_of, described, secured
from ledger.http.cursors import CURSOR_CHARS_MAX, PAGE, PAGE_MAX
from ledger.http.examples import shown
from ledger.problems import BAD_REQUEST
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from ledger.chart import AccountId
    from ledger.history.book import History
    from ledger.history.statement import Line, Statement
    from ledger.http.api import Guard

CSV: Final = "text/csv"
_SUMS: Final = {"debits_posted": 350000, "credits_posted": 5000000, "debits_pending": 0, "credits_pending": 0}
_LINE: Final = {
    "position": 40213, "side": "debit", "kind": "sale", "state": "posted", "amount": 350000, "counterparty": 217298682020462592,
    "counterparty_name": "merchant payable 502/07", "hold": None, "occurred_at": 1763450000000,
    "received_at": 1763450000000, "business_date": "2026-11-18", "refund_of": None, "balance": _SUMS,
}  # fmt: skip
_STATEMENT: Final = {
    "account": 145110000000001234, "name": "wallet 936000090000001", "opening": _SUMS, "closing": _SUMS, "lines": [_LINE],
    "next": None,
}  # fmt: skip
_COLUMNS: Final = (
    "position", "received_at", "business_date", "kind", "state", "side", "amount", "counterparty", "counterparty_name",
    "balance", "refund_of",
)  # fmt: skip


class Format(StrEnum):
    """How a statement is written."""

    JSON = "json"
    CSV = "csv"


class Sums(BaseModel):
    """An account's four sums, in sen."""

    model_config = shown(_SUMS)

    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int


class StatementLine(BaseModel):
    """A transfer as the account sees it, and the account's sums right after it. Amounts in sen, moments in milliseconds since 1970; `refund_of` is the position of the payment that it gives back."""

    model_config = shown(_LINE)

    position: int
    side: str
    kind: str
    state: str
    amount: int
    counterparty: int
    counterparty_name: str
    hold: int | None
    occurred_at: int
    received_at: int
    business_date: date
    refund_of: int | None
    balance: Sums


class StatementPage(BaseModel):
    """Lines of a period; `opening` and `closing` are the whole period's, `next` is the cursor of the next page (null on the last)."""

    model_config = shown(_STATEMENT)

    account: int
    name: str
    opening: Sums
    closing: Sums
    lines: list[StatementLine]
    next: str | None


def router(history: History, guard: Guard) -> APIRouter:
    """The routes of statements."""
    routes = APIRouter(
        tags=["books"], dependencies=[guard.needs(Scope.ACCOUNTS)],
        responses=described(TokenRefused, ScopeMissing, AccountUnknown, CursorInvalid, BAD_REQUEST, StorageError),
    )  # fmt: skip

    @routes.get(
        "/v1/accounts/{account}/statement", response_model=StatementPage, openapi_extra=secured(Scope.ACCOUNTS),
        responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    def get_statement(
        request: Request,
        account: AccountNumber,
        first: Annotated[date | None, Query(description="From this business date on.")] = None,
        last: Annotated[date | None, Query(description="Up to this business date.")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
        cursor: Annotated[str, Query(max_length=CURSOR_CHARS_MAX)] = "",
        newest_first: bool = False,
        format: Annotated[Format | None, Query(description="Or say it with Accept.")] = None,  # noqa: A002  its name in the address
    ) -> Response:
        """An account's lines, each with the balance after it. As CSV, the cursor of the next page is in the header Next-Cursor."""
        number = _seen(request, account)
        after = 0 if first is None else history.position_of_day(Day(day_of(first) - 1))
        until = None if last is None else history.position_of_day(day_of(last))
        found = history.statement(number, after, until, cursor=cursor, limit=limit, newest_first=newest_first)
        if _wants_csv(request, format):
            headers = {"Next-Cursor": found.cursor} if found.cursor else {}
            return Response(as_csv(found), media_type=f"{CSV}; charset=utf-8", headers=headers)
        return JSONResponse(as_json(found))

    @routes.get(
        "/v1/accounts/{account}/balance", response_model=Account, openapi_extra=secured(Scope.ACCOUNTS)
    )
    def get_past_balance(
        request: Request,
        account: AccountNumber,
        at: Annotated[int, Query(ge=0, lt=1 << 53, description="A moment, milliseconds since 1970.")],
    ) -> Response:
        """An account's balance as it was at a past moment: of all that was received up to then."""
        number = _seen(request, account)
        sums = history.balance(number, history.position_at(UnixMs(at)))
        return Response(account_json(number, sums), media_type="application/json")

    return routes


def _seen(request: Request, account: int) -> AccountId:
    """The account, where the client may see it; raises AccountUnknown, ScopeMissing."""
    number, client = read_account(account), client_of(request)
    if client.party is not None and not client.party.owns(number):
        raise ScopeMissing(f"{client.name} sees the accounts of {client.party} only")
    return number


def _wants_csv(request: Request, asked: Format | None) -> bool:
    if asked is not None:
        return asked is Format.CSV
    return request.headers.get("accept", "").split(",")[0].split(";")[0].strip().lower() == CSV


def _line(line: Line) -> dict[str, Any]:
    sums = line.balance
    return {
        "position": line.position, "side": "debit" if line.is_debit else "credit", "kind": Kind(line.kind).name.lower(),
        "state": state_of(line.flags), "amount": line.amount, "counterparty": line.counterparty,
        "counterparty_name": describe(line.counterparty),
        "hold": line.hold if line.flags & (Flag.POST_PENDING | Flag.VOID_PENDING) else None,
        "occurred_at": line.occurred_at, "received_at": line.received_at,
        "business_date": date_of(line.business_date).isoformat(), "refund_of": line.refund_of or None, "balance": _sums(sums),
    }  # fmt: skip


def _sums(balance: Any) -> dict[str, int]:
    return {name: getattr(balance, name) for name in _SUMS}


def as_json(found: Statement) -> dict[str, Any]:
    """A page of a statement, as the API shows it."""
    return {
        "account": found.account, "name": describe(found.account), "opening": _sums(found.opening),
        "closing": _sums(found.closing), "lines": [_line(line) for line in found.lines], "next": found.cursor or None,
    }  # fmt: skip


def as_csv(found: Statement) -> str:
    """The same for a spreadsheet: amounts as decimals in rupiah, moments on the city's clock, a header line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for line in found.lines:
        told = _line(line)
        at = local(line.received_at).isoformat(timespec="milliseconds")
        net = line.balance.net(found.account)
        values = {**told, "received_at": at, "amount": plain(line.amount), "balance": plain(net)}
        writer.writerow([values[column] for column in _COLUMNS])
    return text.getvalue()
