"""The order desk: what arrives while a commit runs is the next unit, so that a thousand callers wait for one commit and not in a queue.

It lives on the event loop. The writer's thread is entered once a unit and left once a unit, whatever the number of calls behind it.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from ledger.errors import KeyInUse, Overloaded
from ledger.orders.blocked import BlockedWallets
from ledger.orders.unit import Orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger import answer
    from ledger.errors import RequestRefused
    from ledger.orders.answers import Answer
    from ledger.orders.order import Order
    from ledger.writer import Writer

    Waiting = tuple[Order, asyncio.Future[Answer]]

WAITING_MAX: Final = 1024
"""Orders that may wait, besides those under way."""
UNIT_MAX: Final = 256
"""Orders that one unit takes."""
UNITS_MAX: Final = 1
"""Units under way: a second one behind the first would halve both, and cost more than the pause between them."""
WAIT_SECONDS_MAX: Final = 2.0
"""How long the oldest unit may have been under way before new orders are sent away."""
CLEARED_EVERY: Final = 1.0
"""Seconds between two units that forget old answers."""


class OrderDesk:
    """Takes orders on an event loop. `committed` is told of each unit: how many orders, how many seconds; `unit` makes one of its orders."""

    def __init__(
        self,
        writer: Writer,
        committed: Callable[[int, float], None],
        ticks: Callable[[], float] = time.monotonic,
        unit: Callable[..., Orders] = Orders,
    ) -> None:
        self._writer = writer
        self._committed = committed
        self._ticks = ticks
        self._unit = unit
        self._waiting: list[Waiting] = []
        self._blocked = BlockedWallets()
        writer.standing.undone.append(self._blocked.forget)
        self._under_way: dict[Orders, float] = {}
        self._keys: set[tuple[str, str]] = set()
        self._gathering = False
        self._cleared_at = float("-inf")

    @property
    def waiting(self) -> int:
        """Orders that wait for a unit."""
        return len(self._waiting)

    async def place(self, order: Order) -> Answer:
        """Place an order; durable when this returns.

        Raises Overloaded at once where too many wait or the writer is late, KeyInUse, KeyReused, LedgerStopped, StorageError.
        """
        name = order.caller.name
        if name in self._keys:
            raise KeyInUse(f"the first request with the key {name[1]} is under way: ask again for its answer")
        self._refuse_when_late()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._keys.add(name)
        self._waiting.append((order, future))
        if not self._gathering:
            # What else this turn of the loop brings comes along.
            self._gathering = True
            loop.call_soon(self._send, loop)
        # A caller that goes away takes its future along, and leaves its order where it is: it was accepted.
        return await future

    def _refuse_when_late(self) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise Overloaded(f"{WAITING_MAX} orders are waiting: come back in a second")
        oldest = min(self._under_way.values(), default=None)
        if oldest is not None and self._ticks() - oldest > WAIT_SECONDS_MAX:
            raise Overloaded("the ledger is late with its commits: come back in a second")

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the writer its next unit, where it may have one."""
        self._gathering = False
        while self._waiting and len(self._under_way) < UNITS_MAX:
            taken = self._next()
            now = self._ticks()
            unit = self._unit(
                [order for order, _ in taken], self._blocked, clears=now - self._cleared_at > CLEARED_EVERY
            )
            try:
                done = self._writer.submit(unit)
            except Exception as error:  # noqa: BLE001  full or stopped: these orders are told so
                self._give(taken, [error] * len(taken))
                continue
            self._under_way[unit] = now
            done.add_done_callback(partial(self._landed, loop, unit, taken))

    def _next(self) -> list[Waiting]:
        """The next unit's orders; of those that pay the same thing once, only the first."""
        some, self._waiting = self._waiting[:UNIT_MAX], self._waiting[UNIT_MAX:]
        taken: list[Waiting] = []
        later: list[Waiting] = []
        once: set[bytes] = set()
        for one in some:
            code = one[0].once
            (later if code in once else taken).append(one)
            if code:
                once.add(code)
        self._waiting = later + self._waiting
        return taken

    def _landed(
        self, loop: asyncio.AbstractEventLoop, unit: Orders, taken: list[Waiting], done: answer.Answer
    ) -> None:
        """On the writer's thread: hand over to the loop."""
        loop.call_soon_threadsafe(self._back, loop, unit, taken, done)

    def _back(
        self, loop: asyncio.AbstractEventLoop, unit: Orders, taken: list[Waiting], done: answer.Answer
    ) -> None:
        began = self._under_way.pop(unit)
        self._committed(len(taken), self._ticks() - began)
        error = done.exception()
        if unit.clears and error is None and not unit.forgot:
            self._cleared_at = began  # nothing old was left: the next units need not look
        self._give(taken, [error] * len(taken) if error is not None else done.result())
        self._send(loop)

    def _give(self, taken: list[Waiting], answers: list[Answer | RequestRefused | BaseException]) -> None:
        for (order, future), answer in zip(taken, answers, strict=True):
            self._keys.discard(order.caller.name)
            if future.done():  # its caller went away
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
                future.exception()  # a caller that goes away now must not leave a warning behind
            else:
                future.set_result(answer)
