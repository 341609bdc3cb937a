"""Structured logs of a server: one JSON object a line on standard error. No secret is ever an event's field."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from hebat.settings import LogLevel


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
