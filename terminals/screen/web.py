"""The local page: static files, words, a feed, and one door for fingers. Loopback only, and only for its own page."""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from terminals.errors import TerminalError
from terminals.screen.feed import events
from terminals.screen.words import LANGUAGES, words

if TYPE_CHECKING:
    from terminals.station import Station

HOSTS: Final = ["127.0.0.1", "localhost"]
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_FILES: Final = {"page.html": ("page.html", "text/html"), "screen.css": ("screen.css", "text/css"),
                 "screen.js": ("screen.js", "text/javascript")}  # fmt: skip
_UNPROCESSABLE: Final = 422


class Press(BaseModel):
    """A button, and what was entered for it."""

    action: Annotated[str, Field(min_length=1, max_length=40)]
    value: Annotated[str, Field(max_length=60)] = ""


def screen(station: Station, stop: threading.Event | None = None) -> FastAPI:
    """The application of one terminal's screen; its feeds end once `stop` is set."""
    served = FastAPI(title="Terminal screen", docs_url=None, redoc_url=None, openapi_url=None)
    served.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    ended = stop or threading.Event()

    @served.get("/events")
    def get_events() -> StreamingResponse:
        feed = events(station, ended)
        return StreamingResponse(feed, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @served.get("/words")
    def get_words() -> JSONResponse:
        return JSONResponse({language: words(language) for language in LANGUAGES}, headers=HEADERS)

    @served.post("/press")
    def post_press(request: Request, press: Press) -> Response:
        _need_own(request)
        try:
            station.press(press.action, press.value)
        except TerminalError as error:
            told = {"detail": str(error), "word": error.word, "values": error.values}
            return JSONResponse(told, _UNPROCESSABLE, HEADERS)
        return Response(status_code=204, headers=HEADERS)

    served.get("/")(_file)
    served.get("/{name}")(_file)
    return served


def _need_own(request: Request) -> None:
    """No other page of this browser may press a button (its Origin is not ours); raises HTTPException."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "only the terminal's own page may do this")


def _file(name: str = "page.html") -> Response:
    if name not in _FILES:
        raise HTTPException(404, "there is no such page")
    file, kind = _FILES[name]
    content = files("terminals").joinpath("screen", file).read_bytes()
    return Response(content, media_type=kind, headers=HEADERS)
