"""The routes of the cardholder's pages. Handlers know nothing of the web; each runs on a thread, away from the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from ledger.cardholder.acts import Acts
from ledger.cardholder.answers import Answer, Asked
from ledger.cardholder.entry import Entry
from ledger.cardholder.holding import Holding
from ledger.cardholder.loading import Loading
from ledger.cardholder.movements import Movements
from ledger.cardholder.pages import HEADERS, STATIC, static
from ledger.cardholder.saving_acts import SavingActs
from ledger.cardholder.words import chosen
from ledger.errors import LedgerError
from ledger.http.api import limited_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.cardholder.room import Room

    Handler = Callable[..., Answer]

FORM: Final = "application/x-www-form-urlencoded"
FORM_BYTES_MAX: Final = 8192
FIELDS_MAX: Final = 16
_OWN: Final = {"same-origin", "none", ""}
_log = structlog.get_logger("cardholder")


def router(room: Room) -> APIRouter:
    """The routes over a room."""
    routes = APIRouter(include_in_schema=False)
    entry, holding = Entry(room), Holding(room)
    acts = Acts(room, holding)
    loading = Loading(room, acts)

    def add(method: str, path: str, handler: Handler) -> None:
        async def endpoint(request: Request) -> Response:
            asked = await _asked(room, request)
            answer = await run_in_threadpool(_answered, room, handler, asked, request.path_params)
            return Response(answer.body, answer.status, answer.headers, answer.media_type)

        routes.add_api_route(path, endpoint, methods=[method], name=f"{method} {path}")

    add("GET", "/", entry.home)
    add("GET", "/c/{token}", entry.scan)
    add("POST", "/c/{token}", entry.pin)
    add("GET", "/c/{token}/manifest", entry.manifest)
    add("GET", "/q/{code}", entry.screen)
    add("GET", "/t", entry.phone)
    add("POST", "/card/leave", entry.leave)
    add("GET", "/card", holding.card)
    add("GET", "/card/taps/{tmc}", holding.tap)
    add("GET", "/card/taps/{tmc}/proof.json", holding.proof)
    add("GET", "/card/taps/{tmc}/anonymous.json", holding.anonymous)
    add("POST", "/card/taps/{tmc}/problem", acts.report)
    add("GET", "/d/{number}", acts.follow)
    add("GET", "/card/block", acts.block_form)
    add("POST", "/card/block", acts.block)
    add("GET", "/card/load", loading.form)
    add("POST", "/card/load", loading.order)
    add("POST", "/card/load/cancel", loading.cancel)
    add("POST", "/card/load/automatic", loading.stand)
    add("GET", "/card/wallet", Movements(room, acts).page)
    add("GET", "/card/register", acts.register_form)
    add("POST", "/card/register", acts.register)
    add("GET", "/card/data", acts.data)
    add("GET", "/card/data.json", acts.take)
    add("POST", "/card/erase", acts.erase)
    if room.savings is not None:
        saving = SavingActs(room, holding)
        add("GET", "/card/saving", saving.saving)
        for name, act in (
            ("link", saving.link),
            ("revoke", saving.revoke),
            ("look", saving.look),
            ("move", saving.move),
            ("number", saving.number),
        ):
            add("POST", f"/card/saving/{name}", act)
    _add_static(routes)
    add("GET", "/c/{rest:path}", entry.nowhere)  # the last ones: what no other address fits
    add("GET", "/card/{rest:path}", entry.nowhere)
    return routes


def _add_static(routes: APIRouter) -> None:
    @routes.get("/card/static/{name}")
    def get_static(name: str) -> Response:
        """A file of the page; the same for everybody, so that it may be kept for an hour."""
        body = static(name)
        if body is None:
            return Response("there is no such file\n", 404, HEADERS, "text/plain; charset=utf-8")
        kept = {**HEADERS, "Cache-Control": "public, max-age=3600"}
        return Response(body, 200, kept, STATIC[name])


async def _asked(room: Room, request: Request) -> Asked:
    headers, peer = request.headers, request.client
    asked = request.query_params.get("l", "")
    form: dict[str, str] = {}
    if request.method == "POST" and headers.get("content-length", "") != "0":
        body = await limited_body(request, FORM, FORM_BYTES_MAX)
        form = _form(body)
    return Asked(
        chosen(asked, headers.get("accept-language", "")),
        room.outside.caller(peer.host if peer is not None else "", headers.get("x-forwarded-for", "")),
        request.cookies.get(room.outside.cookie, ""), form, str(request.url.query),
        headers.get("sec-fetch-site", "") in _OWN,
    )  # fmt: skip


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form; none of one that has more than any of ours, or a zero byte, which is no text: it is answered as an empty one is."""
    try:
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}
    return {} if any("\0" in word for pair in fields.items() for word in pair) else fields


def _answered(room: Room, handler: Handler, asked: Asked, parameters: dict[str, Any]) -> Answer:
    """A handler's answer; what the ledger cannot do now is said as a page too."""
    try:
        return handler(asked, **parameters)
    except LedgerError as error:
        _log.warning("a page could not be made", why=type(error).__name__)
        return room.said(asked, "trouble", 503)
