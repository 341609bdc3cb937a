"""Structured logs of a server on standard error: one JSON object a line, or a line for people at a terminal. No secret is ever an event's field."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

from hebat.settings import LogForm

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from structlog.typing import Processor

    from hebat.settings import LogLevel

_PLAIN: Final = re.compile(r"[\w./:+-]+", re.ASCII)
"""Values that are shown without quotes."""


@contextmanager
def silenced() -> Iterator[None]:
    """Tell nothing but what is critical while the context lasts: a simulation's thousands of faults are what it is for."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def told_to_people(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """An event as a line: time, level, event, then what is known of it; the lines of a traceback below it.

    What others sent cannot move the cursor or make a line of its own: JSON's escapes stand for all that is not plain.
    """
    traceback = event.pop("exception", "")
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    facts = [f"{name}={_value(value)}" for name, value in sorted(event.items()) if value != ""]
    below = [json.dumps(line)[1:-1] for line in traceback.splitlines()]
    return "\n".join([" ".join([head, *facts]), *below])


def _value(value: object) -> str:
    told = str(value)
    return told if _PLAIN.fullmatch(told) else json.dumps(told)


def configure(level: LogLevel, form: LogForm = LogForm.AUTO) -> None:
    """Tell events from a level on; by itself for people where standard error is a terminal, and as JSON elsewhere."""
    people = form is LogForm.PEOPLE or (form is LogForm.AUTO and sys.stderr.isatty())
    written: Processor = told_to_people if people else structlog.processors.JSONRenderer(sort_keys=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
            structlog.processors.format_exc_info,  # the lines of a traceback, never the values in it
            written,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.name)),
        logger_factory=lambda *_arguments: structlog.PrintLogger(
            sys.stderr
        ),  # as it is when something is told
    )
