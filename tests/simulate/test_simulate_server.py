"""The simulated server's machine: whatever it was still to do ends with it."""

from __future__ import annotations

import gc
import io
import logging
from random import Random
from typing import TYPE_CHECKING

import pytest
import structlog

from hebat.simulate.network import Request
from hebat.simulate.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.simulate.server import Server

ENDS: dict[str, Callable[[Server], None]] = {
    "killed": lambda server: server.kill(Random(1), power=False),
    "without power": lambda server: server.kill(Random(1), power=True),
    "stopped": lambda server: server.stop(),
    "left to the end of the run": lambda _: None,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_server_that_ends_leaves_no_task_of_its_log_behind(
    end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A line waits a quarter of a second for others; the loop says of a task that nobody ended that it was destroyed."""
    said = io.StringIO()
    with World(15) as world:
        world.server.stop()
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=lambda *_: structlog.PrintLogger(said),
        )
        world.server.start()
        assert world.server.serve(Request("GET", "/nowhere", (), b"")).status == 404
        ENDS[end](world.server)
    del world
    gc.collect()
    assert [one.getMessage() for one in caplog.records if one.name == "asyncio"] == []
