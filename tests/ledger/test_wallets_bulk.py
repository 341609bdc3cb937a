"""Government payments in bulk: a result a line, cut off and gone on with, killed, and files that are none; on both databases."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from ledger.book import Ledger
from ledger.errors import WalletRefused
from ledger.transfer import Result
from ledger.wallets.bulk import LINES_AT_ONCE, MALFORMED, BulkFile, PayPart, pay_bulk
from tests.ledger.entries import SetClock
from tests.ledger.test_wallets import ALL, BANK, BUDI, NEAR, NOON, SARI, books, clock, desk, holds, where

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.wallets.desk import WalletDesk

__all__ = ["books", "clock", "desk", "where"]


def bulk_file(lines: int) -> bytes:
    rows = [f"{ALL[number % len(ALL)]},{1_000 + number % 7}.50,aid" for number in range(lines)]
    return ("card,rupiah,text\n" + "\n".join(rows) + "\n").encode()


def test_a_file_is_paid_a_result_a_line_and_again_pays_nobody_twice(books: Ledger, desk: WalletDesk) -> None:
    desk.freeze(BUDI, incoming=True)
    rows = [
        f"{SARI},50000,school",
        f"{BUDI},50000,school",
        "123,50000,x",
        f"{SARI},-5,x",
        f"{SARI},1e3,x",
        f"{SARI},1",
        f"{NEAR},0.01,sen",
    ]
    file = BulkFile.read(("card,rupiah,text\n" + "\n".join(rows)).encode())
    done = pay_bulk(books, file, BANK)
    wrong = MALFORMED
    assert list(done.results) == [0, Result.CREDITS_FROZEN, wrong, wrong, wrong, wrong, 0]
    assert (done.paid, done.sen) == (2, 5_000_001)
    assert pay_bulk(books, file, BANK) == done
    assert (holds(books, SARI)[0], holds(books, NEAR)[0]) == (5_000_000, 1)
    report = done.report().decode().splitlines()
    assert report[:3] == ["line,result,sen,reason", "2,paid,5000000,", "3,refused,0,credits frozen"]
    assert len(report) == 8


def test_a_file_that_was_cut_off_goes_on_where_it_was(where: str, clock: SetClock) -> None:
    file = BulkFile.read(bulk_file(2 * LINES_AT_ONCE + 10))
    with Ledger.open(where, clock) as ledger:
        part, lines = next(file.parts())
        ledger.writer.submit(PayPart(file.digest, part, lines, BANK)).result()
    with Ledger.open(where, clock) as ledger:
        done = pay_bulk(ledger, file, BANK)
        assert done.paid == 2 * LINES_AT_ONCE + 10
        assert sum(holds(ledger, card)[0] for card in ALL) == done.sen
        assert pay_bulk(ledger, file, BANK) == done
        assert sum(holds(ledger, card)[0] for card in ALL) == done.sen


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b,c\n", b"\xff\xfe", b'card,rupiah,text\n"open', b"card,rupiah,text\n" + b"x,1,t\n" * 200_001],
)
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(WalletRefused):
        BulkFile.read(content)


PAYER = """
import sys
from pathlib import Path
from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.wallets.bulk import BulkFile, pay_bulk
url, path = sys.argv[1:]
with Ledger.open(url, SystemClock()) as ledger:
    file = BulkFile.read(Path(path).read_bytes())
    print("open", flush=True)
    pay_bulk(ledger, file, 9, lambda done: print(done, flush=True))
"""


def test_a_process_that_is_killed_within_a_file_goes_on_and_pays_nobody_twice(
    where: str, tmp_path: Path
) -> None:
    """kill -9 after the first parts, twice; what was said to be paid is, and in the end each line is paid once."""
    path = tmp_path / "aid.csv"
    path.write_bytes(bulk_file(10 * LINES_AT_ONCE))
    file, said = BulkFile.read(path.read_bytes()), 0
    for _ in range(2):
        command = [sys.executable, "-c", PAYER, where, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "open\n" in process.stdout  # reads as far as that
            said = int(process.stdout.readline())
            process.kill()
    assert 0 < said < len(file.lines)
    with Ledger.open(where, SetClock(UnixMs(NOON + 10 * 365 * 86_400_000))) as ledger:
        before = sum(holds(ledger, card)[0] for card in ALL)
        assert sum(one.amount for one in file.lines[:said]) <= before
        done = pay_bulk(ledger, file, BANK)
        assert done.paid == len(file.lines)
        assert sum(holds(ledger, card)[0] for card in ALL) == done.sen
        ledger.rebuild_check()
