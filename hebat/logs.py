"""Structured logs of a server: one JSON object a line on standard error. No secret is ever an event's field."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.settings import LogLevel


@contextmanager
def silenced() -> Iterator[None]:
    """Tell nothing but what is critical while the context lasts: a simulation's thousands of faults are what it is for."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def configure(level: LogLevel) -> None:
    """Tell events from a level on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,  # the lines of a traceback, never the values in it
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.name)),
        logger_factory=lambda *_arguments: structlog.PrintLogger(
            sys.stderr
        ),  # as it is when something is told
    )
