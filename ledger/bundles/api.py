"""Bundles over HTTP: which numbers are the newest, and the signed bytes that a terminal needs next. Signed and no secret: read by anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from keys.bundle import NUMBER_MAX, BundleKind
from keys.identity import TerminalRole  # noqa: TC001  FastAPI reads it
from ledger.errors import BundleUnknown, StorageError
from ledger.http.api import COSE, described
from ledger.problems import BAD_REQUEST

if TYPE_CHECKING:
    from keys.clock import Clock
    from ledger.bundles.shelf import Shelf

TIME: Final = "time"
_ANSWER: Final = {
    200: {"content": {COSE: {}}},
    204: {"description": "nothing newer"},
    304: {"description": "the same"},
}


def router(shelf: Shelf, clock: Clock) -> APIRouter:
    """The routes of bundles."""
    routes = APIRouter(
        prefix="/v1/bundles",
        tags=["terminals"],
        responses=described(BundleUnknown, BAD_REQUEST, StorageError),
    )

    @routes.get("")
    def get_newest(audience: TerminalRole) -> dict[str, int]:
        """The newest number of each kind for a class of terminals, and the ledger's time (milliseconds since 1970)."""
        return {**shelf.newest(audience.value), TIME: clock.now()}

    @routes.get("/{kind}", responses=_ANSWER, response_class=Response)  # type: ignore[arg-type]
    def get_bundle(
        kind: BundleKind,
        audience: TerminalRole,
        have: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = 0,
        full: bool = False,
        if_none_match: Annotated[str, Header()] = "",
    ) -> Response:
        """The bundle that a terminal which has a number needs next: a delta where one leads on, else a full one."""
        found = shelf.next(kind, audience.value, have, clock.now(), full=full)
        if found is None:
            return Response(status_code=204)
        headers = {"ETag": found.tag}
        if found.tag in {tag.strip() for tag in if_none_match.split(",")}:
            return Response(status_code=304, headers=headers)
        return Response(found.data, media_type=COSE, headers=headers)

    return routes
