"""A real server under requests that schemathesis makes from its own description, well and badly: no fault of the server's own, no answer that is not described.

`./run fuzz --api [--examples N] [--seed N]`. Half of what goes to addresses for terminals is signed by one (`api_hooks`). Pages have no description for partners:
one is made here from their routes, with the fields of their own forms, and somebody of each role is signed in.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cbor2
from fastapi.routing import APIRoute

from card import batch
from card.layout import TapKind
from hebat.application import application
from hebat.demo import town
from keys import handout, ticket
from keys.identity import TerminalRole
from tests.cardholder.town import Town
from tests.fuzz.api_people import signed_in
from tests.ledger.tokens import staff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fastapi import FastAPI

    from tests.ledger.desk import Desk


ROOT: Final = Path(__file__).resolve().parents[2]
ALL_PHASES: Final = "examples,coverage,fuzzing"
QUICK_EXAMPLES: Final = 2
LONG_EXAMPLES: Final = 300
API_CHECKS: Final = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
    "negative_data_rejection", "missing_required_header", "unsupported_method", "allow_header_conformance", "ignored_auth",
)  # fmt: skip
"""All but what no description can tell: that a card's check digit, a cursor or a code is right (positive_data_acceptance)."""
PAGE_CHECKS: Final = API_CHECKS[:3]
_PACKAGES: Final = {
    "/staff": "settlement/console", "/console": "settlement/console", "/night": "settlement/console",
    "/c": "ledger/cardholder", "/card": "ledger/cardholder",
}  # fmt: skip
_FIELD: Final = re.compile(r"name=\"([a-z_]+)\"")
_TYPES: Final = (
    "text/html", "text/plain", "text/css", "text/csv", "text/javascript", "application/json", "application/problem+json", "application/manifest+json",
    "application/pdf", "application/octet-stream", "application/xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "image/svg+xml", "image/png",
)  # fmt: skip
_STATUSES: Final = (400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 431)


@dataclass(frozen=True, slots=True)
class Served:
    """A server with a city behind it: its address, a token for everything, and the folder of what the asking process must know."""

    address: str
    authorisation: str
    folder: Path


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """A city with a card in somebody's pocket, two terminals, and people at the bank, behind a real server."""
    with Town.open(folder / "city") as here:
        card = here.card()
        desks = [here.scene.desk(1001), here.scene.desk(3001, TerminalRole.KIOSK, town.AGENT)]
        desks[0].tap(card, TapKind.FARE, 3_500)
        told = {
            "devices": {str(one.number): str(here.scene.folder / f"desk-{one.number}") for one in desks},
            "signed": signed_of(desks[0], card.chip.uid, here.scene.clock.now()),
        }  # fmt: skip
        (folder / "api.json").write_text(json.dumps(told))
        people = signed_in(here, card)
        (folder / "pages-told.json").write_text(json.dumps({**told, "people": people}))
        framework: Any = application(here.city).application
        (folder / "pages.json").write_text(json.dumps(described(framework)))
        yield Served(here.server.address, staff(here.city)["Authorization"], folder)


def signed_of(desk: Desk, uid: bytes, now: int) -> dict[str, Any]:
    """What each address for terminals takes: its content type, and payloads (hexadecimal)."""
    body = desk.body()
    opened = cbor2.loads(body).value[2]
    request = desk.identity.request()
    loads = [uid, 50_000, 1, now]
    return {
        "/v1/batches": (batch.CONTENT_TYPE, [opened.hex()]),
        **{
            path: (content_type, [cbor2.dumps(one, canonical=True).hex()])
            for path, content_type, one in (
                ("/v1/loads", batch.LOAD_CONTENT_TYPE, loads),
                ("/v1/loads/ordered", batch.ORDERED_CONTENT_TYPE, loads),
                ("/v1/locks", batch.LOCK_CONTENT_TYPE, loads),
                ("/v1/refunds", batch.REFUND_CONTENT_TYPE, [uid, 0, 1, now, 2001, 4, "wrong-amount"]),
                ("/v1/loads/waiting", batch.WAITING_CONTENT_TYPE, [now]),
                ("/v1/loads/step", batch.STEP_CONTENT_TYPE, [bytes(16), 1, [b"\x91\x00"]]),
                ("/v1/shifts", batch.SHIFT_CONTENT_TYPE, [1, 9, now]),
                ("/v1/terminals/enrolment", ticket.ENROLMENT_CONTENT_TYPE, ["ABCD" * 4, request]),
                ("/v1/terminals/renewal", ticket.RENEWAL_CONTENT_TYPE, [now, request]),
                ("/v1/terminals/keys", handout.REQUEST_CONTENT_TYPE, [now, bytes(range(32))]),
            )
        },
    }  # fmt: skip


def described(framework: FastAPI) -> dict[str, Any]:
    """A description of the pages, from their routes and their own forms."""
    paths: dict[str, Any] = {}
    for route in _routes(framework.routes):
        if not route.include_in_schema and route.path != "/openapi.json":
            for method in route.methods or ():
                paths.setdefault(route.path_format, {})[method.lower()] = _operation(route, method)
    return {"openapi": "3.1.0", "info": {"title": "Pages", "version": "1"}, "paths": paths}


def _routes(given: Iterable[Any]) -> Iterator[APIRoute]:
    """All routes, those of included routers too."""
    for one in given:
        if isinstance(one, APIRoute):
            yield one
        elif hasattr(one, "original_router"):
            yield from _routes(one.original_router.routes)


def _operation(route: APIRoute, method: str) -> dict[str, Any]:
    content: dict[str, Any] = {one: {} for one in _TYPES}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in route.param_convertors
    ]
    queries = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in fields_of(route.path)]
    answers = {str(status): {"description": "", "content": content} for status in (200, *_STATUSES)}
    found: dict[str, Any] = {
        "parameters": parameters + (queries if method == "GET" else []),
        "responses": {**answers, "303": {"description": "elsewhere"}},
    }
    if method == "POST":
        schema = {
            "type": "object",
            "properties": {name: {"type": "string"} for name in fields_of(route.path)},
        }
        found["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return found


def fields_of(path: str) -> list[str]:
    """The fields of all forms of the package that answers at a path."""
    package = next((place for head, place in _PACKAGES.items() if path.startswith(head)), "")
    templates = (ROOT / package / "templates").glob("**/*.html") if package else ()
    found = {name for one in templates for name in _FIELD.findall(one.read_text(encoding="utf-8"))}
    return sorted(found - {"form_token", "key", "viewport", "name"} | {"name"})


def ask(served_at: Served, examples: int, *more: str, phases: str = ALL_PHASES) -> list[tuple[int, str]]:
    """Have schemathesis ask the API, then the pages; how each ended, and what was said.

    `phases` are those of the pages: every value that a field may have, one at a time, is twelve thousand calls.
    """
    api = [
        f"{served_at.address}/openapi.json",
        "--phases",
        ALL_PHASES,
        "-H",
        f"Authorization: {served_at.authorisation}",
    ]
    pages = [str(served_at.folder / "pages.json"), "--phases", phases, "-u", served_at.address]
    return [
        asked_of(served_at, told, [*where, "-c", ",".join(checks), "-n", str(examples), *more])
        for told, where, checks in (("api.json", api, API_CHECKS), ("pages-told.json", pages, PAGE_CHECKS))
    ]  # fmt: skip


def asked_of(served_at: Served, told: str, arguments: Sequence[str]) -> tuple[int, str]:
    """One run of schemathesis: how it ended, and what it said. `told` is the file of what its process must know."""
    folder = served_at.folder
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run", *arguments, "--continue-on-failure",
        "--no-shrink", "--generation-database", "none",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.fuzz.api_hooks",
        "HEBAT_FUZZ_API": str(folder / told),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Ask once; 1 where something was wrong."""
    asked = argparse.ArgumentParser(prog="./run fuzz --api", description=__doc__)
    asked.add_argument(
        "--examples", type=int, default=LONG_EXAMPLES, help="requests of a kind to each address"
    )
    asked.add_argument("--seed", type=int, default=None, help="the same requests again")
    given = asked.parse_args()
    more = () if given.seed is None else ("--seed", str(given.seed))
    with tempfile.TemporaryDirectory() as place, served(Path(place)) as here:
        ended = ask(here, given.examples, *more)
    for _, said in ended:
        sys.stdout.write(said)
    return 1 if any(code for code, _ in ended) else 0


if __name__ == "__main__":
    sys.exit(main())
