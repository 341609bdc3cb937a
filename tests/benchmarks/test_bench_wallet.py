"""How fast wallets are: payments by QR of 64 callers over HTTP, and a government's file of 100,000 payments; beside each, what the machine allows in the same run.

Run with `pytest tests/benchmarks/test_bench_wallet.py --benchmark-only`. Compare figures of one run only.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

import pytest

from card.layout import card_number
from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.clients.scopes import Scope
from ledger.qris.writing import static_code
from ledger.wallets.bulk import LINES_AT_ONCE, BulkFile, pay_bulk
from tests.benchmarks.ledger_load import DAY, bare, cpu_seconds
from tests.benchmarks.test_bench_http import CALLERS, ROUNDS, call, load, served
from tests.ledger.crash.cluster import Cluster
from tests.ledger.served import TABLES, card
from tests.ledger.test_wallets import BANK, SHOP
from tests.ledger.tokens import bearer, token

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from keys.money import Sen
    from tests.ledger.served import Served

__all__ = ["served"]
LINES: Final = 100_000
PEOPLE: Final = 20_000
SECONDS_MAX: Final = 60


def test_payments_by_qr_over_http(benchmark: BenchmarkFixture, served: Served) -> None:
    """Each caller's wallet pays a merchant's static code, again as soon as it is told; `empty` is a route that does nothing."""
    partner = served.client("funder", Scope.CREDITS)
    key = bearer(token(served.ledger.database, "app", Scope.WALLETS))["Authorization"]
    code = static_code(SHOP).text()
    for serial in range(1, CALLERS + 1):
        partner.fund(serial, 1_000_000_000)
    asked = {"code": code, "amount": 100}
    pay = [
        call("POST", "/v1/wallets/payments", key, {"card": card(serial), **asked})
        for serial in range(1, CALLERS + 1)
    ]
    empty = [call("GET", "/empty", key)] * CALLERS
    benchmark.extra_info["empty"] = load(served, empty)
    found = benchmark.pedantic(load, args=(served, pay), rounds=ROUNDS, iterations=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["paid"] = found
    assert set(found["statuses"]) == {"201"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_file_of_a_hundred_thousand_payments(
    benchmark: BenchmarkFixture, kind: str, tmp_path: Path
) -> None:
    """Read, paid in parts that are each durable, and reported; `bare_seconds` is the database alone: the same rows of the journal, as many a commit."""
    people = [str(card_number(9, serial)) for serial in range(1, PEOPLE + 1)]
    rows = (f"{one},{1_000 + number % 7}.50,aid" for number, one in enumerate(islice(cycle(people), LINES)))
    content = ("card,rupiah,text\n" + "\n".join(rows) + "\n").encode()
    with ExitStack() as stack:
        url, other = _databases(stack, kind, tmp_path)
        Ledger.create(url, *TABLES).close()
        ledger = stack.enter_context(Ledger.open(url, SystemClock()))

        def pay() -> tuple[int, Sen]:
            done = pay_bulk(ledger, BulkFile.read(content), BANK)
            assert len(done.report().splitlines()) == LINES + 1
            return done.paid, done.sen

        began = cpu_seconds(ledger.database)
        paid, sen = benchmark.pedantic(pay, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
        benchmark.extra_info["cpu_seconds"] = round(cpu_seconds(ledger.database) - began, 2)
        assert (paid, sen) == (LINES, sum(100_000 + 100 * (n % 7) + 50 for n in range(LINES)))
        assert pay() == (paid, sen)  # again: nobody twice
        assert sum(one.debits for one in ledger.trial_balance().lines) == sen
        journal = ledger.rows()
        journal["business_date"] = DAY
        benchmark.extra_info["bare_seconds"] = round(bare(other).write(journal, LINES_AT_ONCE), 2)
    seconds = benchmark.stats.stats.max if benchmark.stats else 0
    assert seconds < SECONDS_MAX


def _databases(stack: ExitStack, kind: str, folder: Path) -> tuple[str, str]:
    """Two empty ones beside each other."""
    if kind == "postgresql":
        cluster = stack.enter_context(Cluster())
        return cluster.database(), cluster.database()
    return f"sqlite:///{folder / 'ledger.db'}", f"sqlite:///{folder / 'bare.db'}"
