"""The chain's digests, rows as bytes, and the fence that keeps two writers from forking the chain."""

from __future__ import annotations

import hashlib
import struct
import threading
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from keys.clock import UnixMs
from ledger import journal
from ledger.book import Ledger
from ledger.bulk.binary import integer_tuples, stream
from ledger.errors import DatabaseDamaged, LedgerStopped
from ledger.rowbytes import rows_from, table_of
from ledger.store import Database
from ledger.tables import metadata
from ledger.transfer import ROW
from ledger.verify import verify
from tests.ledger.entries import DAY, OPERATOR, PURSE, SetClock, transfer

if TYPE_CHECKING:
    from ledger.journal import Block

INT64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(st.tuples(*[INT64] * 16), max_size=5)


def block() -> Block:
    rows = journal.rows_of([transfer(), transfer()], UnixMs(5), DAY)
    return journal.make_block(None, rows, [b"a"], UnixMs(5), DAY)


@given(ROWS)
def test_rows_come_back_from_a_drivers_tuples(tuples: list[tuple[int, ...]]) -> None:
    assert rows_from(tuples).tolist() == tuples


@settings(deadline=None)  # the first one may compile
@given(ROWS)
def test_binary_copy_is_what_postgresql_documents(tuples: list[tuple[int, ...]]) -> None:
    expected = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    for row in tuples:
        expected += struct.pack(">h", 16) + b"".join(struct.pack(">iq", 8, value) for value in row)
    octets = integer_tuples(table_of(np.array(tuples, ROW)), np.arange(len(tuples)))
    assert stream(octets) == expected + struct.pack(">h", -1)


@pytest.mark.parametrize("odd", [1.0, "1", None, b"\x01", 2**63])
def test_a_value_of_another_type_is_damage_with_its_place(odd: object) -> None:
    good = tuple(range(16))
    with pytest.raises(DatabaseDamaged, match=r"column hold of position 1 \(partition 0\)"):
        rows_from([good, (*good[:7], odd, *good[8:])])


def test_a_blocks_digest_is_what_its_documentation_says() -> None:
    made = block()
    rows = journal.rows_of([transfer(), transfer()], UnixMs(5), DAY)
    documents = hashlib.sha256(hashlib.sha256(b"a").digest()).digest()
    header = struct.pack("<5q", 1, 1, 2, 5, DAY)
    assert made.digest == hashlib.sha256(bytes(32) + header + rows.tobytes() + documents).digest()


def test_every_part_of_a_block_is_in_its_digest() -> None:
    made = block()
    rows = journal.rows_of([transfer(), transfer()], UnixMs(5), DAY)
    for part in fields(made):
        value = getattr(made, part.name)
        other = bytes(31) + b"\x01" if isinstance(value, bytes) else value + 1
        given: dict[str, Any] = {part.name: other}
        changed = journal.block_digest(replace(made, **given), rows)
        assert (changed == made.digest) == (part.name == "digest")
    for name in ROW.names or ():
        altered = rows.copy()
        altered[name][1] += 1
        assert journal.block_digest(made, altered) != made.digest


def test_documents_cannot_run_into_each_other() -> None:
    digests = {
        journal.documents_digest(bodies) for bodies in ([], [b""], [b"ab"], [b"a", b"b"], [b"b", b"a"])
    }
    assert len(digests) == 5


def test_every_key_starts_with_the_partition() -> None:
    for table in metadata.tables.values():
        assert next(iter(table.primary_key.columns)).name == "partition"


def test_a_server_that_lost_its_lease_cannot_fork_the_chain(postgres_url: str, clock: SetClock) -> None:
    first = Ledger.open(postgres_url, clock)
    first.post([transfer()])
    with first.database.transaction() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
                "WHERE locktype = 'advisory' AND datname = current_database()"
            )
        )
    with Ledger.open(postgres_url, clock) as second:
        assert second.post([transfer()])[0].position == 2
        with pytest.raises(LedgerStopped):
            first.post([transfer()])
        assert second.post([transfer()])[0].position == 3
    first.close()
    database = Database(postgres_url)
    assert verify(database).transfers == 3
    database.close()


def test_readers_never_see_half_of_a_unit_while_the_writer_runs(file_ledger: Ledger) -> None:
    """Each unit moves the same amount twice; a reader that saw an odd sum would have seen half of one."""
    stop, odd = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            one = file_ledger.balance(PURSE)
            whole = file_ledger.balances()
            debits = sum(balance.debits_posted for balance in whole.values())
            credits_ = sum(balance.credits_posted for balance in whole.values())
            if one.debits_posted % 2 or debits != credits_:
                odd.append((one, debits, credits_))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    unit = file_ledger.unit([transfer(PURSE, OPERATOR, 1)] * 2)
    answers = [file_ledger.writer.submit(unit) for _ in range(500)]
    for answer in answers:
        answer.result(30)
    stop.set()
    for reader in readers:
        reader.join(60)
    assert odd == []
    assert file_ledger.balance(PURSE).debits_posted == 1000
