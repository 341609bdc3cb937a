"""Orders while the writer is late: sent away at once instead of waiting, and taken again once it has caught up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ledger.clients.scopes import Client, Party, PartyKind, Scope
from ledger.errors import Overloaded
from ledger.orders import order as orders
from ledger.orders.desk import WAIT_SECONDS_MAX, OrderDesk
from ledger.orders.order import caller_of
from ledger.store import Database
from tests.ledger.served import add_tables, card
from tests.ledger.units import Gate

if TYPE_CHECKING:
    from ledger.book import Ledger
    from ledger.orders.answers import Answer

CLIENT = Client("app", frozenset(Scope), None)


@pytest.mark.parametrize(("late", "refused"), [(WAIT_SECONDS_MAX, False), (WAIT_SECONDS_MAX + 0.1, True)])
def test_law_10_orders_are_sent_away_while_the_oldest_unit_is_late(
    file_ledger: Ledger, late: float, *, refused: bool
) -> None:
    add_tables(Database(file_ledger.database.url.render_as_string(hide_password=False)))
    now = [0.0]
    desk = OrderDesk(file_ledger.writer, lambda *_: None, lambda: now[0])

    async def place(key: str) -> Answer:
        caller = caller_of(CLIENT, key, b"")
        return await desk.place(orders.debit(caller, card(1), Party(PartyKind.MERCHANT, 502), 5))

    async def scene() -> bool:
        gate = Gate(file_ledger)
        first = asyncio.ensure_future(place("first"))
        await asyncio.sleep(0.05)
        now[0] = late
        second = asyncio.ensure_future(place("second"))
        await asyncio.sleep(0.05)
        sent_away = second.done() and isinstance(second.exception(), Overloaded)
        gate.let_go()
        assert (await first).is_problem  # short
        if not sent_away:
            await second
        assert (await place("third")).is_problem
        return sent_away

    assert asyncio.run(scene()) is refused
