"""Double spends at once, clocks that jump, batches in every order and twice: the same books."""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from hebat.demo import town
from hebat.story_clock import StoryClock
from hebat.wiring import City
from keys.clock import day_of, moment
from ledger.book import Ledger
from ledger.errors import BatchOutOfOrder, WindowClosed
from ledger.transfer import Flag, Result
from ledger.verify import verify
from tests.ledger.crash.traffic import TAPS, make_traffic, place
from tests.ledger.desk import NOON
from tests.ledger.entries import CASH, OPERATOR, WALLET, SetClock, transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ledger.crash.cluster import Cluster
    from tests.ledger.crash.traffic import Traffic

LONG: Final = os.environ.get("HEBAT_LONG") == "1"
THREADS, TRIES = 8, 25


@pytest.mark.parametrize("flags", [Flag.NONE, Flag.PENDING])
def test_as_many_of_a_wallets_double_spends_succeed_as_its_balance_allows(
    url: str, clock: SetClock, flags: Flag
) -> None:
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer(CASH, WALLET, 37 * 100 + 99)])
        start, results = threading.Barrier(THREADS), list[Result]()

        def spend() -> None:
            start.wait(60)
            for _ in range(TRIES):
                results.append(ledger.post([transfer(WALLET, OPERATOR, 100, flags=flags)])[0].result)

        threads = [threading.Thread(target=spend) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(results) == THREADS * TRIES
        assert results.count(Result.POSTED) == 37
        assert results.count(Result.EXCEEDS_CREDITS) == THREADS * TRIES - 37
        balance = ledger.balance(WALLET)
        assert (balance.debits_posted + balance.debits_pending, balance.credits_posted) == (3_700, 3_799)
        assert ledger.rebuild_check() == 38


# Clocks


def test_law_09_a_clock_that_jumps_moves_no_entry_back_and_opens_no_closed_date(
    url: str, clock: SetClock
) -> None:
    noon = datetime(2025, 6, 2, 12, 0)  # noqa: DTZ001  the city's wall clock
    jumps = [timedelta(0), timedelta(hours=-3), timedelta(days=2), timedelta(days=-30), timedelta(days=3)]
    with Ledger.open(url, clock) as ledger:
        for jump in jumps:
            clock.at = moment(noon + jump)
            ledger.post([transfer()])
        closed = day_of(noon.date()) + 3
        assert ledger.close_window(type(ledger.open_window())(closed)).business_date == closed
        clock.at = moment(noon - timedelta(days=400))
        ledger.post([transfer()])
        rows = ledger.rows()
        for column in ("received_at", "business_date"):
            values = rows[column].tolist()
            assert values == sorted(values), column
        assert rows["business_date"][-1] == closed + 1
        with pytest.raises(WindowClosed):
            ledger.close_window(type(ledger.open_window())(closed - 1))
    with Ledger.open(url, clock) as again:
        again.post([transfer()])
        assert again.rows()["received_at"][-1] >= rows["received_at"][-1]
        found = verify(again.database)
    assert found.windows == 1


# Batches


@dataclass(frozen=True)
class Orders:
    """Two batches of one terminal, and one or two of another; and a city on either database for each order in which they come."""

    traffic: Traffic
    url_of: Callable[[], str]

    @property
    def bodies(self) -> list[bytes]:
        return [body for terminal in self.traffic.bodies for body in terminal]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def orders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Orders:
    cluster: Cluster | None = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    template = cluster.database() if cluster else ""
    made = make_traffic(tmp_path_factory.mktemp("orders"), 2, template)
    bodies = [made.bodies[0], made.bodies[1][: 2 if LONG else 1]]
    traffic = type(made)(made.template, bodies, sum(map(len, bodies)) * TAPS)
    return Orders(traffic, lambda: cluster.clone(template) if cluster else "")


def books_of(city: City) -> tuple[dict[int, int], int]:
    """What accounts hold, and how many transfers there are; the order of the journal is the order of arrival."""
    nets = {int(number): int(one.net(number)) for number, one in city.ledger.balances().items()}
    return nets, city.ledger.head().position


def sent(orders: Orders, root: Path, order: tuple[int, ...]) -> tuple[dict[int, int], int]:
    """Send batches in an order, each of them again later, then what was refused as too early in its own order."""
    bodies, folder = orders.bodies, place(orders.traffic.copy(root), orders.url_of())
    with City(folder, town.CONFIGURATION, StoryClock(NOON)) as city:
        for at in (*order, *order):
            with suppress(BatchOutOfOrder):  # the one before it has not come yet: it is kept, and comes again
                first = city.intake.receive(bodies[at])
                assert city.intake.receive(bodies[at]) == first
        results = [result for body in bodies for result in city.intake.receive(body).results]
        assert {result["result"] for result in results} == {"posted"}
        return books_of(city)


def test_law_03_batches_in_every_order_and_twice_leave_the_same_books(orders: Orders, tmp_path: Path) -> None:
    every = list(itertools.permutations(range(len(orders.bodies))))
    books = [sent(orders, tmp_path / str(number), order) for number, order in enumerate(every)]
    assert len(books) == (24 if LONG else 6)
    assert all(one == books[0] for one in books)
    assert books[0][1] == orders.traffic.taps
