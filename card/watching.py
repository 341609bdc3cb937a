"""Watching readers: what comes and goes, through every restart of their service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.errors import ReaderError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from card.readers import Presence, Seen
    from card.waiting import Readers


def changes(
    connect: Callable[[], AbstractContextManager[Readers]], seen: Seen, stop: threading.Event, poll_s: float
) -> Iterator[Presence]:
    """Insertions, removals, and readers that come and go, compared with what was seen, until `stop`.

    `connect` makes a connection to the readers' service. One that dies, or fails, takes its readers with it, and they come again with the next.
    """
    while not stop.is_set():
        try:
            with connect() as field:
                while not stop.is_set():
                    yield from _round(field, seen, stop, poll_s)
        except ReaderError:  # the service, or what stands between
            yield from seen.only([])
            stop.wait(poll_s)


def _round(field: Readers, seen: Seen, stop: threading.Event, poll_s: float) -> Iterator[Presence]:
    names = field.readers()
    yield from seen.only(names)
    if not names:
        stop.wait(poll_s)
    for slot in field.slots(seen.states(names), poll_s):
        yield from seen.now(slot)
