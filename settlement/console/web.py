"""The console over HTTP: calls into `Ask`, answers out of `Answer`, cookies, and the bounds of a body."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from ledger.cardholder.room import Outside
from settlement.console.calls import HEADERS, Ask, Upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from settlement.console.calls import Answer, Page
    from settlement.console.console import Console

SESSION: Final = "__Host-ksh-session"
VISITOR: Final = "__Host-ksh-visitor"
FIELDS_MAX: Final = 2000
FILES_MAX: Final = 20
ADDRESS_CHARACTERS_MAX: Final = 80
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_STATIC: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "htmx.min.js": "text/javascript; charset=utf-8",
}


class _TooLarge(Exception):
    """A body over its bound."""


def router(console: Console, proxies: frozenset[str] = frozenset()) -> APIRouter:
    """Every page of the console, each behind the gate, and the three files that pages load.

    Where a call comes from is what a proxy on this machine, or one of these, says.
    """
    outside = Outside(proxies=proxies | LOOPBACK)
    routes = APIRouter(include_in_schema=False)
    for name, media_type in _STATIC.items():
        content = files("settlement.console").joinpath("static", name).read_bytes()
        routes.add_api_route(f"/console/static/{name}", _static(content, media_type), methods=["GET"])
    for page in console.pages:  # the last ones take every address that is left
        routes.add_api_route(
            page.path, _endpoint(console, page, outside), methods=[page.method], name=page.path
        )
    return routes


def _static(content: bytes, media_type: str) -> Callable[[], Response]:
    def get_static() -> Response:
        kept = {"Cache-Control": "max-age=3600", "Content-Type": media_type}
        return Response(content, headers=HEADERS | kept)

    return get_static


def _endpoint(console: Console, page: Page, outside: Outside) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        most = await run_in_threadpool(console.gate.bytes_max, page, request.cookies.get(SESSION, ""))
        try:
            ask = await _asked(request, most, outside)
        except _TooLarge:
            hint = (
                ""
                if most == page.bytes_max
                else ": files are taken from those who may bring them, once they are signed in"
            )
            return Response(f"at most {most} bytes{hint}", 413, HEADERS, "text/plain")
        if not _is_text(ask):
            return Response("a zero byte is no text: send it without", 400, HEADERS, "text/plain")
        return _response(await run_in_threadpool(console.gate.answer, page, ask))

    return answer


async def _asked(request: Request, bytes_max: int, outside: Outside) -> Ask:
    form: list[tuple[str, str]] = []
    uploads: list[Upload] = []
    if request.method == "POST":
        _bound(request, bytes_max)
        async with request.form(
            max_files=FILES_MAX, max_fields=FIELDS_MAX, max_part_size=FIELDS_MAX * 64
        ) as sent:
            for name, value in sent.multi_items():
                if isinstance(value, str):
                    form.append((name, value))
                elif value.filename:
                    uploads.append(Upload(value.filename, await value.read()))
    return Ask(
        request.method, request.url.path, _address_of(request, outside),
        dict(request.path_params), request.query_params.multi_items(), form, uploads,
        request.cookies.get(SESSION, ""), request.cookies.get(VISITOR, ""), _origin_fits(request),
    )  # fmt: skip


def _is_text(ask: Ask) -> bool:
    """Whether all words of a call are such as any database keeps: PostgreSQL has no zero byte in a text, and its driver fails at one."""
    named = [*ask.query, *ask.form, *ask.parts.items()]
    words = [ask.path, *(word for pair in named for word in pair), *(file.name for file in ask.uploads)]
    return not any("\0" in word for word in words)


def _bound(request: Request, bytes_max: int) -> None:
    """Count a body as it comes in; raises _TooLarge once it is over its bound, whatever its head says."""
    told = request.headers.get("content-length", "0")
    if not told.isdigit() or int(told) > bytes_max:
        raise _TooLarge
    receive, taken = request._receive, 0  # noqa: SLF001  Starlette gives no other place to count

    async def counted() -> Any:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > bytes_max:
            raise _TooLarge
        return message

    request._receive = counted  # noqa: SLF001


def _origin_fits(request: Request) -> bool:
    """What the browser itself says of where a form came from (Fetch Metadata; else Origin)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


def _address_of(request: Request, outside: Outside) -> str:
    """Who calls; behind proxies of ours, the last whom they name that is none of them."""
    peer = request.client.host if request.client else "unknown"
    return outside.caller(peer, request.headers.get("x-forwarded-for", ""))[:ADDRESS_CHARACTERS_MAX]


def _response(answer: Answer) -> Response:
    response = Response(
        answer.body, int(answer.status), HEADERS | dict(answer.headers), media_type=answer.media_type
    )
    for name, value in ((SESSION, answer.session), (VISITOR, answer.visitor)):
        if value is not None:
            response.set_cookie(
                name,
                value,
                max_age=None if value else 0,
                path="/",
                secure=True,
                httponly=True,
                samesite="strict",
            )
    return response
