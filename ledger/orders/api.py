"""Orders over HTTP: debits and credits of wallets, and holds. Each needs a token and an Idempotency-Key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool

from keys.money import Sen
from ledger.chart import AccountId
from ledger.clients.scopes import Party, Scope
from ledger.errors import (
    BatchMalformed,
    BatchTooLarge,
    HoldExceeded,
    HoldUnknown,
    KeyInUse,
    KeyMissing,
    KeyReused,
    OrderInvalid,
    PaymentUnknown,
    ScopeMissing,
    StorageError,
    TokenRefused,
)
from ledger.http.api import (
    ORDER_BYTES_MAX,
    answered_by,
    as_response,
    body_of,
    described,
    limited_body,
    read_json,
    secured,
)
from ledger.http.asgi import JSON, Reply, header
from ledger.orders import order as orders
from ledger.orders.bodies import HOLD_MAX, CaptureAsked, CreditAsked, Done, HoldAsked, HoldShown, OrderAsked
from ledger.orders.holds import find_hold
from ledger.orders.order import Act, Order, caller_of
from ledger.orders.refunds import SELLERS, Refund, find_payment
from ledger.problems import BAD_REQUEST, CARD_BLOCKED, CONTENT_TYPE, MEDIA_TYPE, NOT_POSTED, REFUNDED, SHORT
from ledger.transfer import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.responses import Response

    from ledger.book import Ledger
    from ledger.http.api import Guard
    from ledger.http.front import HotRoutes
    from ledger.orders.desk import OrderDesk
    from ledger.orders.order import Caller
    from ledger.store import Database


KEY_HEADER: Final = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "A key of the caller's own for this very request (draft-ietf-httpapi-idempotency-key-header). The same request with it gets the first answer again for a week.",
    "schema": {"type": "string", "pattern": r"^(\"[A-Za-z0-9._:~+/=-]{1,64}\"|[A-Za-z0-9._:~+/=-]{1,64})$"}, "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}  # fmt: skip
ALWAYS: Final = (
    TokenRefused, ScopeMissing, KeyMissing, KeyReused, KeyInUse, StorageError, BAD_REQUEST, MEDIA_TYPE, BatchTooLarge,
    BatchMalformed, NOT_POSTED,
)  # fmt: skip
_BODIES: Final = {Act.DEBIT: OrderAsked, Act.CREDIT: CreditAsked, Act.HOLD: HoldAsked}


class _Counter:
    """Places orders and answers their calls."""

    def __init__(
        self, desk: OrderDesk, guard: Guard, answered: Callable[[str, int], None], database: Database
    ) -> None:
        self._database = database
        self._desk = desk
        self._guard = guard
        self._answered = answered

    async def asked(self, request: Request, act: Act) -> Reply:
        """A debit, a credit or a hold."""
        client = await self._guard.admit(request, _SCOPES[act])
        body = await limited_body(request, JSON, ORDER_BYTES_MAX)
        caller = caller_of(client, header(request.scope, b"idempotency-key"), act.encode(), body)
        asked = read_json(body, _BODIES[act])
        party = Party(asked.party.kind, asked.party.number)
        if isinstance(asked, CreditAsked):
            return await self._placed(await self._credit(caller, asked, party))
        seconds = asked.seconds if isinstance(asked, HoldAsked) else 0
        return await self._placed(orders.debit(caller, asked.card, party, asked.amount, seconds))

    async def _credit(self, caller: Caller, asked: CreditAsked, party: Party) -> Order:
        """A deposit, or a refund of a payment that is in the books."""
        deposit = orders.credit(caller, asked.card, party, asked.amount)
        if asked.payment is None and party.kind in SELLERS:
            raise OrderInvalid(f"a {party.kind} gives back a payment: name it by its position, as `payment`")
        if asked.payment is None:
            return deposit
        paid = await run_in_threadpool(find_payment, self._database, asked.payment, asked.card, party)
        return Refund.of(caller, asked.card, party, asked.amount, paid)

    async def resolved(self, request: Request, hold: int, act: Act) -> Reply:
        """A capture, with or without a body, or a void."""
        client = await self._guard.admit(request, Scope.HOLDS)
        body = b""
        if act is Act.CAPTURE and (header(request.scope, b"content-length") or "0") != "0":
            body = await limited_body(request, JSON, ORDER_BYTES_MAX)
        key = header(request.scope, b"idempotency-key")
        caller = caller_of(client, key, act.encode(), str(hold).encode(), body)
        amount = (read_json(body, CaptureAsked).amount or 0) if body else 0
        none = AccountId(0)
        return await self._placed(Order(caller, act, none, none, Sen(amount), Kind.SALE, hold))

    async def _placed(self, order: Order) -> Reply:
        answer = await self._desk.place(order)
        self._answered(order.act, answer.status)
        return Reply(answer.body, answer.status, CONTENT_TYPE if answer.is_problem else JSON)


_MORE: Final = {Act.CREDIT: (PaymentUnknown, REFUNDED)}
_SCOPES: Final = {Act.DEBIT: Scope.DEBITS, Act.CREDIT: Scope.CREDITS, Act.HOLD: Scope.HOLDS}


def router(
    ledger: Ledger, desk: OrderDesk, guard: Guard, hot: HotRoutes, answered: Callable[[str, int], None]
) -> APIRouter:
    """The routes of orders. `answered` is told of each order: its act and the status."""
    routes = APIRouter(tags=["wallets"])
    counter = _Counter(desk, guard, answered, ledger.database)
    for path, act, summary in (
        ("/v1/debits", Act.DEBIT, "Take from a wallet; refused where it holds less."),
        (
            "/v1/credits",
            Act.CREDIT,
            "Put into a wallet: a deposit from a bank or an agent, or a refund of a payment by the merchant or operator that had it.",
        ),
        ("/v1/holds", Act.HOLD, "Reserve money of a wallet; refused where it holds less."),
    ):
        _add_order(routes, counter, hot, path, act, summary)
    _add_holds(routes, counter, ledger, guard)
    return routes


def _add_order(
    routes: APIRouter, counter: _Counter, hot: HotRoutes, path: str, act: Act, summary: str
) -> None:
    async def asked(request: Request) -> Reply:
        return await counter.asked(request, act)

    async def post_order(request: Request) -> Response:
        return as_response(await asked(request))

    hot.add("POST", path, answered_by(asked))
    routes.add_api_route(
        path, post_order, methods=["POST"], status_code=201, response_model=Done, name=f"post_{act}", description=summary,
        operation_id=f"post_{act}", responses=described(*ALWAYS, SHORT, CARD_BLOCKED, OrderInvalid, *_MORE.get(act, ())),
        openapi_extra={"parameters": [KEY_HEADER], **body_of(_BODIES[act]), **secured(_SCOPES[act])},
    )  # fmt: skip


HoldNumber = Annotated[int, Path(ge=1, le=HOLD_MAX)]


def _add_holds(routes: APIRouter, counter: _Counter, ledger: Ledger, guard: Guard) -> None:
    keyed = {"parameters": [KEY_HEADER], **secured(Scope.HOLDS)}
    optional = body_of(CaptureAsked)
    optional["requestBody"]["required"] = False

    @routes.post(
        "/v1/holds/{hold}/capture", status_code=201, response_model=Done, openapi_extra={**keyed, **optional},
        responses=described(*ALWAYS, HoldUnknown, HoldExceeded, SHORT),
    )  # fmt: skip
    async def post_capture(request: Request, hold: HoldNumber) -> Response:
        """Take what is held, whole or in part; the rest goes back to the wallet."""
        return as_response(await counter.resolved(request, hold, Act.CAPTURE))

    @routes.post(
        "/v1/holds/{hold}/void", status_code=201, response_model=Done, openapi_extra=keyed,
        responses=described(*ALWAYS, HoldUnknown),
    )  # fmt: skip
    async def post_void(request: Request, hold: HoldNumber) -> Response:
        """Give what is held back to the wallet."""
        return as_response(await counter.resolved(request, hold, Act.VOID))

    @routes.get(
        "/v1/holds/{hold}", openapi_extra=secured(Scope.HOLDS),
        responses=described(TokenRefused, ScopeMissing, HoldUnknown, BAD_REQUEST, StorageError),
    )  # fmt: skip
    async def get_hold(request: Request, hold: HoldNumber) -> HoldShown:
        """A hold, and whether it is still pending."""
        client = await guard.admit(request, Scope.HOLDS)
        found, pending = find_hold(ledger, hold, client)
        return HoldShown(
            hold=hold, amount=found.amount, debit=found.debit, credit=found.credit, pending=pending,
            expires_at=found.expires_at,
        )  # fmt: skip
