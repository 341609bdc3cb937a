"""Finding blocks by what only grows along the chain (positions, times, business dates): by halving, with no index of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.chain import store

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Day, UnixMs
    from ledger.journal import Block
    from ledger.store import Connection


def last_where(connection: Connection, holds: Callable[[Block], bool]) -> Block | None:
    """The newest block of which something holds that, once it no longer holds, never holds again; None for no block."""
    newest = store.last_block(connection)
    if newest is None or holds(newest):
        return newest
    found, low, high = None, 1, newest.block - 1
    while low <= high:
        middle = (low + high) // 2
        block = store.read_block(connection, middle)
        if block is not None and holds(block):
            found, low = block, middle + 1
        else:
            high = middle - 1
    return found


def last_at_position(connection: Connection, position: int) -> Block | None:
    """The newest block that goes no further than a position."""
    return last_where(connection, lambda block: block.last_position <= position)


def last_received(connection: Connection, at: UnixMs) -> Block | None:
    """The newest block that was received no later than a moment."""
    return last_where(connection, lambda block: block.received_at <= at)


def last_of_day(connection: Connection, day: Day) -> Block | None:
    """The newest block of a business date, or of one before it."""
    return last_where(connection, lambda block: block.business_date <= day)
