"""The ledger over HTTP: batches, loads, accounts, trial balance, quarantine, exceptions, chain, health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from card.batch import BATCH_BYTES_MAX
from keys.money import display
from ledger.chart import AccountId, describe, split
from ledger.errors import BatchMalformed, BatchTooLarge, LedgerError
from ledger.intake import store
from ledger.problems import CONTENT_TYPE, RETRY_SECONDS, Problem, problem_of

if TYPE_CHECKING:
    from ledger.book import Ledger
    from ledger.intake.receive import Intake
    from ledger.relay.desk import LoadDesk

COSE: Final = "application/cose"
PAGE_MAX: Final = 500
PROBLEM: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"description": "RFC 9457 problem", "content": {CONTENT_TYPE: {}}},
}
COSE_BODY: Final = {
    "requestBody": {"required": True, "content": {COSE: {"schema": {"type": "string", "format": "binary"}}}}
}


class RecordResult(BaseModel):
    """What became of one record."""

    sequence: int
    result: str
    reason: str | None = None


class BatchAnswer(BaseModel):
    """One result a record, and the signed receipt (COSE_Sign1, base64)."""

    results: list[RecordResult]
    receipt: str


class LoadOutcome(BaseModel):
    """How a load ended; `receipt` is the ledger's (COSE_Sign1, base64), empty where nothing is proven."""

    colour: str
    reason: str
    detail: str
    amount: int
    balance: int | None
    sequence: int
    receipt: str


class LoadStep(BaseModel):
    """The commands (hexadecimal) that the kiosk has to send to the card next, and how the load ended once it did."""

    session: str
    step: int
    authorisation: int
    apdus: list[str]
    outcome: LoadOutcome | None


class Account(BaseModel):
    """An account's four sums in sen, and its net as people write it."""

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

    kind: str
    accounts: int
    debits: int
    credits: int
    pending: int


class TrialBalance(BaseModel):
    """Every kind of account; debits equal credits."""

    lines: list[TrialLine]
    debits: int
    credits: int


class Quarantined(BaseModel):
    """A record that was not posted, and how it was settled ("" while open)."""

    terminal: int
    sequence: int
    reason: str
    detail: str
    amount: int
    received_at: int
    resolution: str


class Exceptional(BaseModel):
    """Something about a posted record that somebody must explain."""

    terminal: int
    sequence: int
    kind: str
    detail: str
    raised_at: int


class Chain(BaseModel):
    """The newest block."""

    block: int
    position: int
    digest: str


def router(ledger: Ledger, intake: Intake, desk: LoadDesk) -> APIRouter:
    """The routes of a ledger."""
    routes = APIRouter(prefix="/v1", responses=PROBLEM)
    routes.include_router(_intake_routes(intake, desk))
    routes.include_router(_account_routes(ledger))
    routes.include_router(_worklist_routes(ledger))
    return routes


def _intake_routes(intake: Intake, desk: LoadDesk) -> APIRouter:
    routes = APIRouter()

    @routes.post("/batches", response_model=BatchAnswer, openapi_extra=COSE_BODY)
    async def post_batch(request: Request) -> JSONResponse:
        """Take a signed batch in: COSE_Sign1 over CBOR (see `card.batch`)."""
        body = await limited_body(request)
        answer = await run_in_threadpool(intake.receive, body)
        await run_in_threadpool(desk.sweep)
        return JSONResponse(answer.as_json())

    @routes.post("/loads", response_model=LoadStep, openapi_extra=COSE_BODY)
    async def post_load(request: Request) -> JSONResponse:
        """Begin a cash load: a hold that the card's evidence completes or voids, and the first commands for the card."""
        body = await limited_body(request)
        return JSONResponse((await run_in_threadpool(desk.begin, body)).as_json())

    @routes.post("/loads/step", response_model=LoadStep, openapi_extra=COSE_BODY)
    async def post_load_step(request: Request) -> JSONResponse:
        """Go on with a load: the card's answers to the last commands."""
        body = await limited_body(request)
        return JSONResponse((await run_in_threadpool(desk.step, body)).as_json())

    return routes


def _account_routes(ledger: Ledger) -> APIRouter:
    routes = APIRouter()

    @routes.get("/accounts/{account}")
    def get_account(account: Annotated[int, Path(ge=1, lt=1 << 63)]) -> Account:
        """An account's balance."""
        number = AccountId(account)
        split(number)
        balance = ledger.balance(number)
        net = balance.net(number)
        return Account(
            account=account, name=describe(number), debits_posted=balance.debits_posted,
            credits_posted=balance.credits_posted, debits_pending=balance.debits_pending,
            credits_pending=balance.credits_pending, net=net, display=display(net),
        )  # fmt: skip

    @routes.get("/trial-balance")
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

    @routes.get("/chain")
    def get_chain() -> Chain:
        """The newest block of the journal."""
        head = ledger.head()
        return Chain(block=head.block, position=head.position, digest=head.digest.hex())

    return routes


def _worklist_routes(ledger: Ledger) -> APIRouter:
    routes = APIRouter()

    @routes.get("/quarantine")
    def get_quarantine(limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX) -> list[Quarantined]:
        """Records that were not posted."""
        with ledger.database.transaction() as connection:
            rows = store.read_quarantine(connection)[:limit]
        return [
            Quarantined(
                terminal=row.terminal, sequence=row.sequence, reason=row.reason, detail=row.detail,
                amount=row.amount, received_at=row.received_at, resolution=row.resolution,
            )
            for row in rows
        ]  # fmt: skip

    @routes.get("/exceptions")
    def get_exceptions(limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX) -> list[Exceptional]:
        """What posted records left to explain."""
        with ledger.database.transaction() as connection:
            rows = store.read_exceptions(connection)[:limit]
        return [
            Exceptional(
                terminal=row.terminal,
                sequence=row.sequence,
                kind=row.kind,
                detail=row.detail,
                raised_at=row.raised_at,
            )
            for row in rows
        ]

    return routes


async def limited_body(request: Request) -> bytes:
    """The whole body, refused while it streams once it passes the limit; raises BatchTooLarge, BatchMalformed."""
    if request.headers.get("content-type", "").split(";")[0].strip() != COSE:
        raise HTTPException(415, f"send {COSE}")
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if declared.isdigit() and int(declared) > BATCH_BYTES_MAX:
        raise BatchTooLarge(f"a body has at most {BATCH_BYTES_MAX} bytes: send it in parts")
    async for chunk in request.stream():
        body += chunk
        if len(body) > BATCH_BYTES_MAX:
            raise BatchTooLarge(f"a body has at most {BATCH_BYTES_MAX} bytes: send it in parts")
    if not body:
        raise BatchMalformed("the body is empty: send a signed batch")
    return bytes(body)


def install_problems(application: FastAPI) -> None:
    """Answer every error of the ledger and of the request itself as an RFC 9457 problem."""

    @application.exception_handler(LedgerError)
    async def ledger_error(_request: Request, error: LedgerError) -> JSONResponse:
        problem = problem_of(error)
        headers = {"Retry-After": str(RETRY_SECONDS)} if problem.status in {429, 503} else {}
        return _answer(problem, headers)

    @application.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _answer(Problem("/problems/bad-request", "Bad request", 422, f"{where}: {first['msg']}"))

    @application.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        detail = str(error.detail)
        return _answer(Problem("about:blank", detail, error.status_code, detail), dict(error.headers or {}))


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.as_json(), problem.status, headers, media_type=CONTENT_TYPE)


def health() -> APIRouter:
    """Liveness: the process answers."""
    routes = APIRouter()

    @routes.get("/health")
    def get_health() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    return routes
