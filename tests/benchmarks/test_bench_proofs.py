"""Checkpoints, proofs, statements and exports over a million taps in SQLite, each beside the bare work of the same run.

Run with `pytest tests/benchmarks/test_bench_proofs.py --benchmark-only`. The ledger is made once, which takes a minute. One business
date, 100,000 cards with ten taps each, one operator (a sixty-fourth of all taps on each of its sub-accounts). Compare figures of one run only.
"""

from __future__ import annotations

import random
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hebat.schema import TABLES
from ledger.chain.store import read_rows
from ledger.exports import frames
from ledger.exports.sending import Wanted, export
from ledger.history.book import History
from ledger.history.indexing import index
from ledger.proofs.book import Checkpoints, Signer
from ledger.proofs.file import decode
from ledger.proofs.proving import prove_position
from ledger.store import Database
from tests.benchmarks import million
from tests.benchmarks.million import CARDS, HOT, TAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(KEY.public_key().public_bytes_raw(), KEY.sign)
DICE = random.Random(1)
CONDITIONS = {"taps": TAPS, "cards": CARDS, "database": "SQLite, WAL, synchronous=FULL"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("million") / "ledger.db"
    million.fill(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(filled: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{filled}")
    yield opened
    opened.close()


def book(database: Database) -> Checkpoints:
    return Checkpoints(database, "benchmark", SIGNER)


def once(benchmark: BenchmarkFixture, measured: Callable[..., Any], *arguments: Any) -> Any:
    benchmark.extra_info |= CONDITIONS
    return benchmark.pedantic(measured, args=arguments, rounds=1)  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group="checkpoint of 1,000,000 leaves")
def test_a_checkpoint_of_a_million_leaves(benchmark: BenchmarkFixture, database: Database) -> None:
    (made,) = once(benchmark, book(database).make_all)
    assert made.size == TAPS


@pytest.mark.benchmark(group="checkpoint of 1,000,000 leaves")
def test_the_same_hashes_bare(benchmark: BenchmarkFixture) -> None:
    """The floor: four hashes a leaf (rows, card, leaf, node) over bytes that are at hand."""
    row, opened, leaf, node = bytes(128), bytes(45), bytes(140), bytes(65)

    def hashes() -> int:
        return sum(len(sha256(data).digest()) > 0 for _ in range(TAPS) for data in (row, opened, leaf, node))

    assert once(benchmark, hashes) == 4 * TAPS


@pytest.mark.benchmark(group="inclusion proof among 1,000,000 leaves")
def test_an_inclusion_proof_made(benchmark: BenchmarkFixture, database: Database) -> None:
    book(database).make_all()
    proof = benchmark(lambda: prove_position(database, DICE.randrange(1, TAPS + 1)))
    benchmark.extra_info |= {**CONDITIONS, "bytes": len(proof.encode()), "path": len(proof.path)}
    assert proof.check(SIGNER.public_key).size == TAPS


@pytest.mark.benchmark(group="inclusion proof among 1,000,000 leaves")
def test_an_inclusion_proof_verified(benchmark: BenchmarkFixture, database: Database) -> None:
    book(database).make_all()
    data = prove_position(database, DICE.randrange(1, TAPS + 1)).encode()
    assert benchmark(lambda: decode(data).check(SIGNER.public_key)).size == TAPS


@pytest.mark.benchmark(group="inclusion proof among 1,000,000 leaves")
def test_the_signature_alone_verified(benchmark: BenchmarkFixture) -> None:
    """The floor of verifying: one Ed25519 verification."""
    signature, key = KEY.sign(bytes(300)), KEY.public_key()
    assert benchmark(lambda: key.verify(signature, bytes(300))) is None


def statement(
    benchmark: BenchmarkFixture, database: Database, account: Callable[[], Any], **how: Any
) -> None:
    history = History(database)
    benchmark.extra_info |= CONDITIONS | {"lines a page": 100}
    page = benchmark(lambda: history.statement(account(), limit=100, **how))
    assert page.lines


@pytest.mark.benchmark(group="statement page with 1,000,000 transfers stored")
def test_a_page_that_is_in_no_index_yet(benchmark: BenchmarkFixture, database: Database) -> None:
    statement(benchmark, database, lambda: million.card(DICE.randrange(CARDS)))


@pytest.mark.benchmark(group="statement page with 1,000,000 transfers stored")
def test_a_page_of_a_card(benchmark: BenchmarkFixture, database: Database) -> None:
    index(database)
    statement(benchmark, database, lambda: million.card(DICE.randrange(CARDS)))


@pytest.mark.benchmark(group="statement page with 1,000,000 transfers stored")
def test_the_newest_page_of_an_operator(benchmark: BenchmarkFixture, database: Database) -> None:
    index(database)
    statement(benchmark, database, lambda: HOT, newest_first=True)


@pytest.mark.benchmark(group="statement page with 1,000,000 transfers stored")
def test_a_balance_at_a_random_position(benchmark: BenchmarkFixture, database: Database) -> None:
    index(database)
    history = History(database)
    benchmark(lambda: history.balance(million.card(DICE.randrange(CARDS)), DICE.randrange(1, TAPS)))
    assert history.balance(HOT).credits_posted > 0


@pytest.mark.benchmark(group="statement page with 1,000,000 transfers stored")
def test_a_hundred_rows_by_their_key_bare(benchmark: BenchmarkFixture, database: Database) -> None:
    """The floor: the same number of rows by primary key in one statement."""
    with database.transaction() as connection:
        held = sa.text("SELECT position FROM transfers WHERE partition = 7")
        chosen = DICE.sample(connection.execute(held).scalars().all(), 100)
        positions = ",".join(map(str, chosen))
        query = sa.text(f"SELECT * FROM transfers WHERE partition = 7 AND position IN ({positions})")
        assert len(benchmark(lambda: connection.execute(query).all())) == len(chosen)


@pytest.mark.benchmark(group="accounts' pages of 1,000,000 transfers written")
def test_pages_of_a_million_transfers_written(
    benchmark: BenchmarkFixture, filled: Path, tmp_path: Path
) -> None:
    shutil.copy(filled, tmp_path / "ledger.db")
    copy = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    with copy.writing() as connection:
        connection.execute(sa.text("DELETE FROM account_pages"))
        connection.execute(sa.text("DELETE FROM history_marks"))
    assert once(benchmark, index, copy) == TAPS
    copy.close()


@pytest.mark.benchmark(group="export of 1,000,000 transfers")
def test_an_export_of_a_million_transfers(
    benchmark: BenchmarkFixture, database: Database, tmp_path: Path
) -> None:
    """The journal alone, as by --date: read, digested, synced."""
    with database.transaction() as connection:
        (day,) = connection.execute(sa.text("SELECT DISTINCT business_date FROM blocks")).scalars()
    made = once(benchmark, export, database, TABLES, tmp_path / "out", Wanted(days=(day,)))
    assert sum(part.rows for part in made.parts if part.table == "transfers") == TAPS


@pytest.mark.benchmark(group="export of 1,000,000 transfers")
def test_the_same_rows_written_as_parquet_bare(
    benchmark: BenchmarkFixture, database: Database, tmp_path: Path
) -> None:
    """The floor: frames that are in memory, written as the export writes them."""
    with database.transaction() as connection:
        whole = frames.of_rows(np.concatenate(list(read_rows(connection))))
    pieces = [whole.slice(start, 131_072) for start in range(0, TAPS, 131_072)]

    def write() -> int:
        for number, piece in enumerate(pieces):
            frames.write(piece, tmp_path / f"{number}.parquet", "parquet")
        return pl.scan_parquet(tmp_path / "*.parquet").select(pl.len()).collect().item()  # type: ignore[no-any-return]

    assert once(benchmark, write) == TAPS
