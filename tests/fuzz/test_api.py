"""The API's own description, and one of the pages, in the hands of schemathesis: a real server makes no fault of its own and gives no answer that is not described.

A few requests to each address here, the same at each run; `HEBAT_LONG=1` or `./run fuzz --api` make thousands.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from hebat.serving import LoopbackServer
from tests.fuzz import api
from tests.fuzz.api import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.responses import Response

LONG: Final = bool(os.environ.get("HEBAT_LONG"))
PHASES: Final = api.ALL_PHASES if LONG else "fuzzing"
EXAMPLES: Final = api.LONG_EXAMPLES if LONG else api.QUICK_EXAMPLES
SAME_AGAIN: Final = () if LONG else ("--seed", "1")


@pytest.fixture(scope="module")
def asked() -> Iterator[list[tuple[int, str]]]:
    with tempfile.TemporaryDirectory() as place, api.served(Path(place)) as here:
        yield api.ask(here, EXAMPLES, *SAME_AGAIN, phases=PHASES)


def figures(said: str) -> tuple[int, int]:
    """How many operations were asked, and how many calls passed."""
    operations, calls = re.search(r"Tested: (\d+)", said), re.search(r"generated, (\d+) passed", said)
    assert operations is not None, said
    assert calls is not None, said
    return int(operations[1]), int(calls[1])


@pytest.mark.slow
def test_the_whole_api_answers_as_it_is_described(asked: list[tuple[int, str]]) -> None:
    code, said = asked[0]
    assert code == 0, said
    operations, calls = figures(said)
    assert operations >= 38
    assert calls > 1000


@pytest.mark.slow
def test_no_page_breaks_whatever_is_asked_of_it(asked: list[tuple[int, str]]) -> None:
    code, said = asked[1]
    assert code == 0, said
    operations, calls = figures(said)
    assert operations >= 100
    assert calls >= operations


def test_what_is_not_described_or_breaks_is_found(tmp_path: Path) -> None:
    broken = FastAPI()

    @broken.get("/breaks")
    def get_broken(number: int = 0) -> dict[str, int]:
        return {"one": 1 // number}

    @broken.get("/text", response_model=dict[str, int])
    def get_text() -> Response:
        return PlainTextResponse("x")

    (tmp_path / "api.json").write_text("{}")
    with LoopbackServer(broken) as server:
        code, said = api.asked_of(Served(server.address, "", tmp_path), "api.json", [f"{server.address}/openapi.json", "-n", "1", *SAME_AGAIN])  # fmt: skip
    assert code == 1
    assert "Server error" in said
    assert "Undocumented Content-Type" in said
