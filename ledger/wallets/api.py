"""Wallets over HTTP, for systems that act for holders: balance, transfers in two steps, payments by QR. Each needs a token; what moves money, a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool

from keys.money import Sen
from ledger.clients.scopes import Scope
from ledger.errors import OrderInvalid, QrRefused, ScopeMissing, StorageError, TokenRefused, WalletRefused
from ledger.http.api import (
    ORDER_BYTES_MAX,
    Gate,
    answered_by,
    as_response,
    body_of,
    client_of,
    described,
    limited_body,
    read_json,
    secured,
)
from ledger.http.asgi import JSON, Reply, header
from ledger.orders.answers import available, told_of
from ledger.orders.api import ALWAYS, KEY_HEADER
from ledger.orders.bodies import HOLD_MAX
from ledger.orders.order import caller_of, wallet_of
from ledger.problems import BAD_REQUEST, NOT_FOUND
from ledger.rules import RuleFlag
from ledger.wallets.bodies import (
    CARD,
    PaymentAsked,
    PaymentDone,
    TransferAsked,
    TransferDone,
    TransferOrdered,
    WalletShown,
)
from ledger.wallets.desk import wallet_of_holder
from ledger.wallets.keyed import CREATED
from ledger.wallets.paying import Paying
from ledger.wallets.qr import read_payment

if TYPE_CHECKING:
    from fastapi.responses import Response
    from pydantic import BaseModel

    from ledger.balance import Balance
    from ledger.book import Ledger
    from ledger.clients.scopes import Client
    from ledger.http.api import Guard
    from ledger.http.front import HotRoutes
    from ledger.orders.desk import OrderDesk
    from ledger.wallets.desk import WalletDesk
    from ledger.wallets.store import Placed

PAYMENTS: Final = "/v1/wallets/payments"
CALLS_MAX: Final = 64
"""Calls that wait for a commit."""
TransferNumber = Annotated[int, Path(ge=1, le=HOLD_MAX)]
CardNumber = Annotated[str, Path(pattern=CARD)]


def router(ledger: Ledger, desk: WalletDesk, payments: OrderDesk, guard: Guard, hot: HotRoutes) -> APIRouter:
    """The routes of wallets; `payments` takes those by QR."""
    routes = APIRouter(tags=["wallets"])
    gate = Gate("wallet calls", CALLS_MAX)
    counter = _Counter(desk, payments, guard)
    hot.add("POST", PAYMENTS, answered_by(counter.pay))

    @routes.get(
        "/v1/wallets/{card:digits}", openapi_extra=secured(Scope.ACCOUNTS), dependencies=[guard.needs(Scope.ACCOUNTS)],
        responses=described(TokenRefused, ScopeMissing, OrderInvalid, BAD_REQUEST, NOT_FOUND, StorageError),
    )  # fmt: skip
    def get_wallet(request: Request, card: CardNumber) -> WalletShown:
        """What a card's wallet holds and may hold."""
        _need_all(client_of(request))
        return shown_of(ledger, card)

    @routes.post(
        "/v1/wallets/transfers", status_code=CREATED, response_model=TransferOrdered,
        responses=described(*ALWAYS, WalletRefused), openapi_extra=_keyed(TransferAsked),
    )  # fmt: skip
    async def post_transfer(request: Request) -> Response:
        """Order a transfer between two wallets: its money is held for a quarter of an hour, and goes when it is confirmed."""
        with gate:
            return as_response(await counter.order(request))

    @routes.post(
        "/v1/wallets/transfers/{transfer}/confirm", openapi_extra=secured(Scope.WALLETS),
        responses=described(TokenRefused, ScopeMissing, WalletRefused, BAD_REQUEST, StorageError),
    )  # fmt: skip
    async def post_transfer_confirmed(request: Request, transfer: TransferNumber) -> TransferDone:
        """Send what was ordered. The order's own number is the key: confirmed again, it is the same transfer."""
        client = await guard.admit(request, Scope.WALLETS)
        with gate:
            sent = await run_in_threadpool(desk.confirm, client.name, transfer)
        return TransferDone(transfer=transfer, state=sent.state.value, amount=sent.amount)

    @routes.post(
        PAYMENTS, status_code=CREATED, response_model=PaymentDone,
        responses=described(*ALWAYS, WalletRefused, QrRefused), openapi_extra=_keyed(PaymentAsked),
    )  # fmt: skip
    async def post_payment(request: Request) -> Response:
        """Pay a merchant of this city by its QRIS code; a dynamic one once, whoever pays."""
        return as_response(await counter.pay(request))

    return routes


class _Counter:
    """Reads what is asked, and answers it."""

    def __init__(self, desk: WalletDesk, payments: OrderDesk, guard: Guard) -> None:
        self._desk = desk
        self._payments = payments
        self._guard = guard

    async def order(self, request: Request) -> Reply:
        """A transfer, held."""
        client, body = await self._asked(request)
        wanted = read_json(body, TransferAsked)
        caller = caller_of(client, header(request.scope, b"idempotency-key"), b"transfer", body)

        def said(placed: Placed, wallet: Balance) -> dict[str, Any]:
            told = {"card": wanted.card, "to": wanted.to, "amount": wanted.amount}
            return {
                "transfer": placed.hold,
                **told,
                "expires_at": placed.expires_at,
                "wallet": told_of(wallet),
            }

        amount = Sen(wanted.amount)
        body = await run_in_threadpool(self._desk.order, caller, wanted.card, wanted.to, amount, said)
        return Reply(body, CREATED)

    async def pay(self, request: Request) -> Reply:
        """A payment by QR."""
        client, body = await self._asked(request)
        wanted = read_json(body, PaymentAsked)
        caller = caller_of(client, header(request.scope, b"idempotency-key"), b"payment", body)
        amount = None if wanted.amount is None else Sen(wanted.amount)
        payment = read_payment(wanted.code, amount, Sen(wanted.tip))
        answer = await self._payments.place(
            Paying.of(caller, wanted.card, wallet_of_holder(wanted.card), payment)
        )
        return Reply(answer.body, answer.status)

    async def _asked(self, request: Request) -> tuple[Client, bytes]:
        client = await self._guard.admit(request, Scope.WALLETS)
        _need_all(client)
        return client, await limited_body(request, JSON, ORDER_BYTES_MAX)


def shown_of(ledger: Ledger, card: str) -> WalletShown:
    """A wallet as it is told; raises OrderInvalid."""
    account = wallet_of(card)
    held, rules = ledger.balance(account), ledger.rules(account)
    frozen = {"debits": RuleFlag.DEBITS_FROZEN, "credits": RuleFlag.CREDITS_FROZEN}
    return WalletShown(
        card=card, account=account, statement=f"/v1/accounts/{account}/statement", posted=held.net(account),
        held=held.debits_pending, available=available(held), ceiling=rules.ceiling, monthly=rules.monthly,
        frozen=[name for name, flag in frozen.items() if flag in rules.flags],
        blocked=RuleFlag.BLOCKED in rules.flags, closed=RuleFlag.CLOSED in rules.flags,
    )  # fmt: skip


def _need_all(client: Client) -> None:
    """Raises ScopeMissing for a client of one party: it moves that one's money, and sees that one's accounts, by orders."""
    if client.party is not None:
        raise ScopeMissing(f"{client.name} acts for {client.party} only: holders' wallets are others'")


def _keyed(model: type[BaseModel]) -> dict[str, Any]:
    return {"parameters": [KEY_HEADER], **body_of(model), **secured(Scope.WALLETS)}
