"""What the books say, over HTTP: balances, the trial balance, the chain's head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from keys.money import display
from ledger.chart import AccountId, describe, split
from ledger.clients.scopes import Scope
from ledger.errors import AccountUnknown, ScopeMissing, StorageError, TokenRefused
from ledger.http.api import ACCOUNT_MAX, AccountNumber, answered_by, as_response, described, secured
from ledger.http.asgi import Reply
from ledger.http.examples import shown
from ledger.problems import BAD_REQUEST

if TYPE_CHECKING:
    from fastapi.responses import Response

    from ledger.balance import Balance
    from ledger.book import Ledger
    from ledger.clients.scopes import Client
    from ledger.http.api import Guard
    from ledger.http.front import HotRoutes

_DIGITS_MAX: Final = 19
_ACCOUNT: Final = {
    "account": 145110000000001234, "name": "wallet 936000090000001", "debits_posted": 350000, "credits_posted": 5000000,
    "debits_pending": 0, "credits_pending": 0, "net": 4650000, "display": "Rp46.500",
}  # fmt: skip
_LINE: Final = {"kind": "purse", "accounts": 500, "debits": 1500000, "credits": 2000000, "pending": 0}
_HEAD: Final = {"block": 812, "position": 40213, "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}  # fmt: skip


class Account(BaseModel):
    """An account's four sums in sen, and its net as people write it."""

    model_config = shown(_ACCOUNT)

    account: int
    name: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    net: int
    display: str


class TrialLine(BaseModel):
    """Sums of one kind of account, in sen."""

    model_config = shown(_LINE)

    kind: str
    accounts: int
    debits: int
    credits: int
    pending: int


class TrialBalance(BaseModel):
    """Every kind of account; debits equal credits."""

    model_config = shown({"lines": [_LINE], "debits": 1500000, "credits": 1500000})

    lines: list[TrialLine]
    debits: int
    credits: int


class Chain(BaseModel):
    """The newest block."""

    model_config = shown(_HEAD)

    block: int
    position: int
    digest: str


def router(ledger: Ledger, guard: Guard, hot: HotRoutes) -> APIRouter:
    """The routes of the books."""
    routes = APIRouter(tags=["books"])
    _add_account(routes, ledger, guard, hot)

    @routes.get(
        "/v1/trial-balance", dependencies=[guard.needs(Scope.BOOKS)], openapi_extra=secured(Scope.BOOKS),
        responses=described(TokenRefused, ScopeMissing, StorageError),
    )  # fmt: skip
    def get_trial_balance() -> TrialBalance:
        """Sums by kind of account."""
        found = ledger.trial_balance()
        lines = [
            TrialLine(
                kind=line.code.name.lower(), accounts=line.accounts, debits=line.debits, credits=line.credits,
                pending=line.pending,
            )
            for line in found.lines
        ]  # fmt: skip
        return TrialBalance(lines=lines, debits=found.debits, credits=found.credits)

    @routes.get("/v1/chain", responses=described())
    def get_chain() -> Chain:
        """The newest block of the journal: open to all, for it shows nothing but that the books went on."""
        head = ledger.head()
        return Chain(block=head.block, position=head.position, digest=head.digest.hex())

    return routes


def _add_account(routes: APIRouter, ledger: Ledger, guard: Guard, hot: HotRoutes) -> None:
    async def balance(request: Request) -> Reply:
        """A balance, live and without waiting for the writer."""
        return shown_to(await guard.admit(request, Scope.ACCOUNTS), request.path_params["account"])

    def balance_now(scope: Any) -> Reply | None:
        """The same at once, for who is known already."""
        client = guard.admit_now(scope, Scope.ACCOUNTS)
        return None if client is None else shown_to(client, scope["path_params"]["account"])

    def shown_to(client: Client, text: str) -> Reply:
        account = read_account(text)
        if client.party is not None and not client.party.owns(account):
            raise ScopeMissing(f"{client.name} sees the accounts of {client.party} only")
        return Reply(account_json(account, ledger.balance(account)))

    hot.add("GET", "/v1/accounts/{account}", answered_by(balance), balance_now)

    @routes.get(
        "/v1/accounts/{account}", response_model=Account, openapi_extra=secured(Scope.ACCOUNTS),
        responses=described(TokenRefused, ScopeMissing, AccountUnknown, BAD_REQUEST, StorageError),
    )  # fmt: skip
    async def get_account(
        request: Request,
        account: AccountNumber,  # noqa: ARG001  described here, read below
    ) -> Response:
        """An account's balance, as of the last commit."""
        return as_response(await balance(request))


def read_account(text: Any) -> AccountId:
    """An account's number out of an address; raises RequestValidationError, AccountUnknown."""
    digits = str(text)
    if not (
        digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX and 0 < int(digits) < ACCOUNT_MAX
    ):
        raise RequestValidationError(
            [{"loc": ("path", "account"), "msg": "an account is a number below 2^63"}]
        )
    account = AccountId(int(digits))
    split(account)
    return account


def account_json(account: AccountId, balance: Balance) -> bytes:
    """An account as the API shows it."""
    net = balance.net(account)
    # Whole numbers and words of ours alone, so that nothing has to be escaped.
    return (
        f'{{"account":{account},"name":"{describe(account)}","debits_posted":{balance.debits_posted},'
        f'"credits_posted":{balance.credits_posted},"debits_pending":{balance.debits_pending},'
        f'"credits_pending":{balance.credits_pending},"net":{net},"display":"{display(net)}"}}'
    ).encode()
