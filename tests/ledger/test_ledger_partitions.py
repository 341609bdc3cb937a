"""No statement of the hot path touches two of the ledger's partitions: read off a real run, from what the drivers were told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2.extensions
import pytest
import sqlalchemy as sa

from card.layout import TapKind
from keys.clock import Day, UnixMs
from ledger import tables
from ledger.book import Ledger
from ledger.bulk import copies
from ledger.chart import PARTITIONS, Code, Partition, account_id
from ledger.journal import rows_of
from ledger.store import Database
from tests.ledger.entries import SetClock, transfer
from tests.ledger.units import Plain

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from ledger.writer import Transaction
    from tests.ledger.desk import Scene

NO_TABLES = re.compile(
    r"BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET |SHOW |PRAGMA|SELECT (1|current_|pg_catalog\.)",
    re.IGNORECASE,
)
VALUES = re.compile(r"INSERT INTO (\w+) \(\"?(\w+).*?\) VALUES (.*)", re.DOTALL)
EQUAL = re.compile(r"(?:\w+\.)?\"?partition\"? = (\d+)")


def partitions_named(statement: str) -> set[int]:
    """The partitions that a statement is about; all of them where it names none."""
    inserted = VALUES.match(statement)
    if inserted:
        assert inserted[2] == "partition", statement
        return {int(first) for first in re.findall(r"\(\s*(-?\d+)", inserted[3])[:1]} | {
            int(first) for first in re.findall(r"\),\s*\((\d+)", inserted[3])
        }
    found = {int(number) for number in EQUAL.findall(statement)}
    return found or set(range(PARTITIONS))


class Recorder:
    """What a run told its database: each statement, and the partitions that it is about."""

    def __init__(self) -> None:
        self.said: list[tuple[str, set[int]]] = []

    def note(self, statement: str) -> None:
        for one in statement.split(";"):
            if one.strip() and not NO_TABLES.match(one.strip()):
                self.said.append((one.strip(), partitions_named(one.strip())))

    def note_copies(self, said: bytes) -> None:
        """What went over the wire beside the driver: a query of COPYs, and the data of each."""
        statements: list[str] = []
        while said:
            kind, length = said[:1], int.from_bytes(said[1:5], "big")
            body, said = said[5 : length + 1], said[length + 1 :]
            if kind == b"Q":
                statements = body[:-1].decode().split(";")
            elif kind == b"d":
                self.note_copy(statements.pop(0), body)
        assert statements == []

    def note_copy(self, statement: str, octets: bytes) -> None:
        assert re.match(r"COPY \w+ \(\"?partition", statement), statement
        at, partitions = 19, set()
        while (fields := int.from_bytes(octets[at : at + 2], "big", signed=True)) != -1:
            at += 2
            for field in range(fields):
                end = at + 4 + int.from_bytes(octets[at : at + 4], "big")
                if field == 0:
                    partitions.add(int.from_bytes(octets[at + 4 : end], "big"))
                at = end
        self.said.append((statement, partitions))

    def listen(self, database: Database, patch: pytest.MonkeyPatch) -> None:
        """Hear everything that connections of the writer are told, from the driver itself."""
        if database.is_sqlite:
            sa.event.listen(
                database._writing, "connect", lambda raw, _record: raw.set_trace_callback(self.note)
            )
            return
        note, exchange = self.note, copies._exchange

        class Told(psycopg2.extensions.cursor):
            def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  psycopg2's own name
                super().execute(query, vars)
                note((self.query or b"").decode())

        def exchanging(wire: socket.socket, said: Iterable[bytes]) -> None:
            pieces = list(said)
            self.note_copies(b"".join(pieces))
            exchange(wire, pieces)

        patch.setattr(copies, "_exchange", exchanging)

        def connecting(_dialect: Any, _record: Any, _arguments: Any, named: dict[str, Any]) -> None:
            named["cursor_factory"] = Told

        sa.event.listen(database._writing, "do_connect", connecting)


@pytest.fixture
def recorded(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ledger, Recorder]]:
    """A ledger whose writer is listened to, after its first commits of the day: the second has seen that the day's table stayed."""
    database, recorder = Database(url), Recorder()
    recorder.listen(database, monkeypatch)
    with Ledger.open(database, SetClock(UnixMs(1_750_000_000_000))) as ledger:
        ledger.post([transfer()])
        ledger.post([transfer()])
        recorder.said.clear()
        yield ledger, recorder


def fares(count: int) -> npt.NDArray[np.void]:
    """Fares in every partition, by turns."""
    made = []
    for number in range(count):
        partition = Partition(number % PARTITIONS)
        purse = account_id(Code.PURSE, partition, 1_000 + number)
        made.append(transfer(purse, account_id(Code.OPERATOR_PAYABLE, partition, 7), uid=number + 1, tmc=1))
    return rows_of(made, UnixMs(1), Day(1))


def add_bodies(tx: Transaction) -> None:
    """Side rows of several partitions."""
    many: dict[str, Any] = {"partition": np.arange(3), "block": 900, "ordinal": 0, "body": [b"a", b"b", b"c"]}
    tx.add(tables.documents, many)


@pytest.mark.parametrize("count", [1, 100, 3000])
def test_no_statement_of_the_hot_path_touches_two_partitions(
    recorded: tuple[Ledger, Recorder], count: int
) -> None:
    ledger, recorder = recorded
    rows = fares(count)
    assert ledger.writer.submit(ledger.columns(rows, b"signed")).result().all_posted
    ledger.writer.submit(Plain([transfer()], settle=add_bodies)).result()
    journalled = [
        partitions
        for statement, partitions in recorder.said
        if re.search(r"(INTO|COPY) transfers", statement)
    ]
    assert len(journalled) >= min(count, PARTITIONS) + 1
    assert set().union(*journalled) == set(rows["debit"][:count] >> 50 & 63) | {3}
    assert [(statement, found) for statement, found in recorder.said if len(found) != 1] == []


def test_no_statement_of_a_signed_batch_touches_two_partitions(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cards that are met for the first time, known ones and one that comes again: looked up and written, each at its own place."""
    recorder, database = Recorder(), scene.city.ledger.database
    recorder.listen(database, monkeypatch)
    sa.event.listen(database.engine, "connect", lambda raw, _record: raw.set_trace_callback(recorder.note))
    cards, desk = [scene.card(loaded=50_000) for _ in range(12)], scene.desk(1101)
    for card in cards[:6]:
        desk.tap(card, TapKind.FARE, 3_500)
    desk.send()
    database._writing.dispose()  # what is opened from here on is listened to
    database.engine.dispose()
    recorder.said.clear()
    for card in cards:
        desk.tap(card, TapKind.FARE, 3_500)
    assert [one["result"] for one in desk.send().results] == ["posted"] * 12
    asked = {next(iter(found)) for statement, found in recorder.said if "FROM taps" in statement}
    assert len(asked) > 1, "cards of several partitions were looked up"
    assert [(statement, found) for statement, found in recorder.said if len(found) != 1] == []


def test_a_statement_over_two_partitions_would_be_noticed() -> None:
    assert partitions_named("SELECT 1 FROM taps WHERE partition = 3 AND uid = 5") == {3}
    assert partitions_named("INSERT INTO taps (partition, uid) VALUES (3, 5), (4, 5)") == {3, 4}
    assert len(partitions_named("DELETE FROM taps WHERE uid = 5")) == PARTITIONS
