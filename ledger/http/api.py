"""What every route shares: who calls, bodies within limits, and errors as RFC 9457 problems."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from card.batch import BATCH_BYTES_MAX
from ledger import problems
from ledger.clients.register import FRESH_SECONDS, needed
from ledger.errors import BatchMalformed, BatchTooLarge, LedgerError, Overloaded, TokenRefused
from ledger.http.asgi import JSON, Reply, header, problem_reply, whole
from ledger.http.cursors import CURSOR_CHARS_MAX, PAGE, PAGE_MAX
from ledger.http.front import PROBLEM, fault
from ledger.problems import CONTENT_TYPE, Problem, ProblemType, problem_of, type_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ledger.clients.register import Clients
    from ledger.clients.scopes import Client, Scope
    from ledger.http.asgi import Endpoint

COSE: Final = "application/cose"
BODY_SECONDS_MAX: Final = 10.0
"""How long a body may take to arrive."""
LOOK_SECONDS: Final = 0.1
"""How long to wait at least before clients are looked up for a token that is not known."""
ORDER_BYTES_MAX: Final = 4096
"""Bytes of a JSON body."""
LOC_CHARS_MAX: Final = 100
"""Characters of a field's name in an error: the caller chose it."""
COSE_BODY: Final = {
    "requestBody": {"required": True, "content": {COSE: {"schema": {"type": "string", "format": "binary"}}}}
}
_ALWAYS: Final = (
    problems.BUSY,
    problems.HEAD_TOO_LARGE,
    problems.NOT_HTTP,
    problems.TOO_SLOW,
    problems.UNKNOWN,
)
_BY_STATUS: Final = {404: problems.NOT_FOUND, 405: problems.METHOD_REFUSED, 408: problems.TOO_SLOW, 413: problems.TOO_LARGE, 415: problems.MEDIA_TYPE}  # fmt: skip

Model = TypeVar("Model", bound=BaseModel)
ACCOUNT_MAX: Final = 1 << 63
AccountNumber = Annotated[int, Path(ge=1, lt=ACCOUNT_MAX, description="An account's number.")]
PageLimit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Rows of a page.", examples=[PAGE])]
PageCursor = Annotated[
    str, Query(max_length=CURSOR_CHARS_MAX, description="`next` of the page before; none for the first.")
]


class Digits(StringConvertor):
    """A part of an address that is a number: `{card:digits}` lets the names that stand in its place in other addresses be theirs, for every method."""

    regex = "[0-9]+"


register_url_convertor("digits", Digits())


def described(*kinds: ProblemType | type[LedgerError]) -> dict[int | str, dict[str, Any]]:
    """The problems that a route can answer with, for its description; those of every route are added."""
    found: dict[int | str, dict[str, Any]] = {}
    named = {kind if isinstance(kind, ProblemType) else type_of(kind) for kind in kinds}
    for kind in sorted({*named, *_ALWAYS}, key=lambda kind: (kind.status, kind.title)):
        answer = found.setdefault(kind.status, {"description": "", "content": {CONTENT_TYPE: {
            "schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}}})  # fmt: skip
        answer["description"] = f"{answer['description']} {kind.title}: {kind.meaning}".strip()
        example = kind.problem("A sentence about this very case, with what to do.").as_json()
        answer["content"][CONTENT_TYPE]["examples"][kind.name] = {"value": example}
    return found


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """A JSON body, for the description of a route that reads it itself."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def secured(scope: Scope) -> dict[str, Any]:
    """That a route needs a token with a scope, for its description."""
    return {"security": [{"token": [scope.value]}]}


class Guard:
    """Lets clients in by their tokens."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._reloading: asyncio.Task[None] | None = None

    async def admit(self, request: Request, scope: Scope) -> Client:
        """The client that calls; raises TokenRefused, ScopeMissing, StorageError."""
        if self._clients.older_than(FRESH_SECONDS):
            await self._fresh()
        try:
            return self._let_in(request.scope, scope)
        except TokenRefused:
            # It may have been made a moment ago; guessers make us look ten times a second at most, and wait for it.
            if not self._clients.older_than(LOOK_SECONDS):
                await asyncio.sleep(LOOK_SECONDS)
            await self._fresh()
            return self._let_in(request.scope, scope)

    def admit_now(self, scope_of_call: Any, scope: Scope) -> Client | None:
        """The same without waiting; None where the list is to be read first. Raises TokenRefused, ScopeMissing."""
        if self._clients.older_than(FRESH_SECONDS):
            return None
        return self._let_in(scope_of_call, scope)

    def _let_in(self, scope_of_call: Any, scope: Scope) -> Client:
        """Who calls is noted before it is asked what they may: the log names a client that tries what it may not."""
        client = self._clients.known(header(scope_of_call, b"authorization") or "")
        scope_of_call["state"]["client"] = client
        return needed(client, scope)

    async def _fresh(self) -> None:
        """Read the list again; whoever comes meanwhile waits for the same reading."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(run_in_threadpool(self._clients.reload))
        await asyncio.shield(self._reloading)

    def needs(self, scope: Scope) -> Any:
        """The same as a dependency of a route."""

        async def admitted(request: Request) -> None:
            await self.admit(request, scope)

        return Depends(admitted)


def client_of(request: Request) -> Client:
    """The client whom the guard let in."""
    found: Client = request.scope["state"]["client"]
    return found


class Gate:
    """Bounds how many calls of one kind hold memory or a thread at once."""

    def __init__(self, what: str, calls_max: int) -> None:
        self._what = what
        self._calls_max = calls_max
        self.under_way = 0

    def __enter__(self) -> None:
        """Raises Overloaded where as many are under way as may be."""
        if self.under_way >= self._calls_max:
            raise Overloaded(f"{self._calls_max} {self._what} are under way: come back in a second")
        self.under_way += 1

    def __exit__(self, *_: object) -> None:
        self.under_way -= 1


def answered_by(endpoint: Callable[[Request], Awaitable[Reply]]) -> Endpoint:
    """An endpoint for the front door; its errors are problems."""

    async def reply(scope: Any, receive: Any) -> Reply:
        try:
            return await endpoint(Request(scope, receive))
        except (LedgerError, RequestValidationError, HTTPException) as error:
            return problem_reply(problem_of_any(error), CONTENT_TYPE)

    return reply


async def limited_body(request: Request, media_type: str = COSE, bytes_max: int = BATCH_BYTES_MAX) -> bytes:
    """The whole body, refused while it streams once it passes the limit; raises BatchTooLarge, BatchMalformed."""
    said = header(request.scope, b"content-type") or ""
    if said != media_type and said.split(";")[0].strip().lower() != media_type:
        raise HTTPException(415, f"send {media_type}")
    declared = header(request.scope, b"content-length") or "0"
    if declared.isdigit() and int(declared) > bytes_max:
        raise BatchTooLarge(f"a body has at most {bytes_max} bytes: send it in parts")
    body = await _received(request, bytes_max)
    if not body:
        raise BatchMalformed("the body is empty: send what the API's description says")
    return body


async def _received(request: Request, bytes_max: int) -> bytes:
    """The body as it has come, or as it comes."""
    call = whole(request.scope)
    body = None if call is None else call.heard()
    if body is not None and len(body) <= bytes_max:
        return body
    if body is not None:
        raise BatchTooLarge(f"a body has at most {bytes_max} bytes: send it in parts")
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await _streamed(request, bytes_max)
    except TimeoutError:
        raise HTTPException(
            408, f"the body did not arrive within {BODY_SECONDS_MAX:.0f} seconds", {"Connection": "close"}
        ) from None


async def _streamed(request: Request, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(408, "the caller hung up before the body was whole")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        size += len(parts[-1])
        if size > bytes_max:
            raise BatchTooLarge(f"a body has at most {bytes_max} bytes: send it in parts")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def as_response(reply: Reply) -> Response:
    """An answer of a hot route, as the framework takes it."""
    return Response(reply.body, reply.status, dict(reply.headers), reply.media_type)


def read_json(body: bytes, model: type[Model]) -> Model:
    """A JSON body as its model; raises RequestValidationError."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_context=False, include_url=False)) from None


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem as an answer of the framework."""
    return JSONResponse(
        problem.as_json(), problem.status, {**problem.headers, **(headers or {})}, media_type=CONTENT_TYPE
    )


def problem_of_any(error: Exception) -> Problem:
    """The problem of whatever a route may raise."""
    if isinstance(error, LedgerError):
        return problem_of(error)
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:LOC_CHARS_MAX]
        return problems.BAD_REQUEST.problem(f"{where}: {first['msg']}" if where else str(first["msg"]))
    if isinstance(error, HTTPException):
        kind = _BY_STATUS.get(error.status_code)
        detail = str(error.detail)
        return kind.problem(detail) if kind else Problem("about:blank", detail, error.status_code, detail)
    return fault()


def install_problems(application: FastAPI) -> None:
    """Answer every error of the ledger and of the request itself as an RFC 9457 problem."""

    async def told(request: Request, error: Exception) -> Response:
        extra = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        problem = problem_of_any(error)
        request.scope["state"][PROBLEM] = problem.name
        return answer(problem, extra)

    for kind in (LedgerError, RequestValidationError, HTTPException, Exception):
        application.exception_handler(kind)(told)
