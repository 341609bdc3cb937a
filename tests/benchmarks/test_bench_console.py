"""The console's pages with 1,000,000 statement lines stored, on both databases: each page's 95th percentile, gate, queries and template in it.

On PostgreSQL also how many rows of large tables a page makes the server read in sequence: a page that reads a large table whole grows with it, so that it must be none.
"""

from __future__ import annotations

import io
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from hebat.schema import TABLES
from keys.clock import Day, date_of
from ledger.book import Ledger
from settlement.breaks import tables as break_tables
from settlement.matching import tables as matching_tables
from settlement.tables import items, lines, settlements, statements
from tests.benchmarks.ledger_load import cpu_seconds
from tests.ledger.crash.cluster import Cluster
from tests.settlement.at_desk import member, opened
from tests.settlement.conftest import city
from tests.settlement.town import BNI, BRT, DAY, JATENG, MANDIRI, open_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from fastapi.testclient import TestClient
    from pytest_benchmark.fixture import BenchmarkFixture

    from ledger.store import Connection, Database
    from settlement.participants import Participants

__all__ = ["city"]
LINES: Final = 1_000_000
NIGHTS: Final = 250
A_NIGHT: Final = LINES // NIGHTS
BREAKS: Final = 40_000
"""The lines that no match proves, each in an open break."""
BANKS: Final = (BNI, JATENG, MANDIRI)
P95_MS_MAX: Final = 150
ROUNDS: Final = 40


def digest(night: int) -> str:
    return f"{night:064x}"


def reference(number: int) -> str:
    return f"KSH-{number:012d}"


def put(connection: Connection, table: Any, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "postgresql":
        text = io.StringIO("".join("\t".join(map(copied, row)) + "\n" for row in rows))
        driver: Any = connection.connection
        driver.cursor().copy_expert(f"COPY {table.name} ({columns}) FROM STDIN", text)
        return
    marks = ",".join("?" * len(columns.split(",")))
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", list(rows))


def copied(value: object) -> str:
    """A value as COPY's text form has it."""
    if value is None:
        return r"\N"
    return rf"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def told(connection: Connection, night: int) -> None:
    """A night's statements and lines, and the items that they may prove."""
    day, first = DAY - 1 - night, night * A_NIGHT
    numbers = range(first, first + A_NIGHT)
    columns = "partition,sha256,number,bank,chain,account,identifier,currency,opening_date,opening,closing_date,closing,lines,night"
    rows = [(0, digest(night), at + 1, bank, NIGHTS - night, "1", f"S{night}", "IDR", day, 0, day, 0, 1, day) for at, bank in enumerate(BANKS)]  # fmt: skip
    put(connection, statements, columns, rows)
    columns = "partition,sha256,statement,number,bank,value_date,booking_date,amount,currency,reference,end_to_end,remittance,bank_reference,source_line,repeated"
    put(connection, lines, columns, ((0, digest(night), n % 3 + 1, n - first + 1, BANKS[n % 3], day, day, 1_000 + n, "IDR", "", reference(n), f"SETORAN {n}", "", n - first, False) for n in numbers))  # fmt: skip
    columns = "partition,reference,business_date,bank,kind,code,party,name,amount,due,rail"
    put(connection, items, columns, ((0, reference(n), day, BANKS[n % 3], "payout", 3, BRT, "BLU Trans Semarang", 1_000 + n, day, "") for n in numbers))  # fmt: skip


def worked(connection: Connection, night: int) -> None:
    """A night's matches, and a break for each line that none proves."""
    day, first = DAY - 1 - night, night * A_NIGHT
    numbers = range(first, first + A_NIGHT)
    proven = [n for n in numbers if n % (LINES // BREAKS)]
    columns = "partition,number,bank,rule,rules,confidence,difference,evidence,night,made_by,made_at,proposal,undone_by,undone_at,undone_why"
    put(connection, matching_tables.matches, columns, ((0, n + 1, BANKS[n % 3], "reference", 1, 100, 0, "", day, "night", 0, 0, "", 0, "") for n in proven))  # fmt: skip
    put(connection, matching_tables.match_items, "partition,match,reference,active", ((0, n + 1, reference(n), True) for n in proven))  # fmt: skip
    put(connection, matching_tables.match_lines, "partition,match,sha256,statement,line,active", ((0, n + 1, digest(night), n % 3 + 1, n - first + 1, True) for n in proven))  # fmt: skip
    columns = "partition,break_id,reason,bank,reference,business_date,sha256,statement,line,difference,evidence,since,night"
    left = [n for n in numbers if not n % (LINES // BREAKS)]
    put(connection, break_tables.breaks, columns, ((0, f"BRK-{n:012x}", "unexpected on statement", BANKS[n % 3], "", None, digest(night), n % 3 + 1, n - first + 1, 1_000 + n, f"it carries no reference; the bank says: SETORAN {n}", day, day) for n in left))  # fmt: skip
    # Last: nothing is added to a window that is settled.
    columns = "partition,business_date,closed_at,head,first_position,last_position"
    put(connection, settlements, columns, [(0, day, 0, bytes(32), 0, 0)])


@dataclass(frozen=True, slots=True)
class Staffed:
    """A console with a million lines behind it, somebody signed in at it, and its database."""

    client: TestClient
    database: Database

    def in_sequence(self) -> int:
        """Rows of tables of about a million that PostgreSQL has read in sequence so far; 0 on SQLite."""
        if self.database.engine.dialect.name != "postgresql":
            return 0
        with self.database.engine.connect() as connection:
            connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        with self.database.engine.connect() as connection:
            query = f"SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE n_live_tup > {LINES // 2}"
            return int(connection.exec_driver_sql(query).scalar_one())


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def staffed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, city: Participants
) -> Iterator[Staffed]:
    folder: Path = tmp_path_factory.mktemp("million")
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'ledger.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(Cluster()).database()
        database = Ledger.create(url, *TABLES)
        stage = stack.enter_context(open_stage(database, folder / "out", city))
        at = opened(stage, folder)
        with database.writing() as connection:
            for night in range(NIGHTS):
                told(connection, night)
                worked(connection, night)
        with database.writing() as connection:
            connection.exec_driver_sql("ANALYZE")
        yield Staffed(member(at, "maker"), database)


OPEN_LINE: Final = f"/console/lines/{digest(7)}/{7 * A_NIGHT % 3 + 1}/1"
MATCHED: Final = f"/console/lines/{digest(7)}/{(7 * A_NIGHT + 1) % 3 + 1}/2"
PAGES: Final = {
    "overview": "/console",
    "worklist": "/console/worklist",
    "worklist, newest first": "/console/worklist?order=newest",
    "worklist, one bank": "/console/worklist?bank=9",
    "worklist, a text that one break has": "/console/worklist?q=SETORAN+777775",
    "worklist, twenty pages in": "deep",
    "a break": f"/console/breaks/BRK-{7 * A_NIGHT:012x}",
    "a line that is open": OPEN_LINE,
    "a line that is matched": MATCHED,
    "an item": f"/console/items/{reference(5)}",
    "statements": "/console/import",
    "figures": "/console/figures",
    "windows": "/console/windows",
    "nights": "/night",
    "a night": f"/night/{date_of(Day(DAY - 8))}",
    "a night's matches": f"/console/matches?night={date_of(Day(DAY - 8))}",
    "suggestions": "/console/suggestions",
    "payments": "/console/payments",
    "claims": "/console/claims",
    "disputes": "/console/disputes",
}


def deep(staff: TestClient) -> str:
    path = "/console/worklist"
    for _ in range(20):
        following = re.search(r'rel="next" href="([^"]+)"', staff.get(path).text)
        assert following is not None
        path = following[1].replace("&amp;", "&")
    return path


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@pytest.mark.benchmark(group="the console's pages, a million lines stored")
@pytest.mark.parametrize("name", PAGES)
def test_bench_page(benchmark: BenchmarkFixture, staffed: Staffed, name: str) -> None:
    staff = staffed.client
    path = deep(staff) if PAGES[name] == "deep" else PAGES[name]
    assert staff.get(path).status_code == 200
    before = staffed.in_sequence()
    staff.get(path)
    in_sequence = staffed.in_sequence() - before
    began = cpu_seconds(staffed.database)
    took = sorted(seconds(lambda: staff.get(path)) for _ in range(ROUNDS))
    cpu = (cpu_seconds(staffed.database) - began) / ROUNDS * 1000
    benchmark(staff.get, path)
    p95 = took[len(took) * 95 // 100] * 1000
    benchmark.extra_info["p95_ms"] = round(p95, 1)
    benchmark.extra_info["cpu_ms"] = round(cpu, 1)
    benchmark.extra_info["rows of large tables read in sequence"] = in_sequence
    assert in_sequence == 0
    assert p95 < P95_MS_MAX
