"""QR codes a second: read with every check, and written; `extra_info` says how many codes a round has. Run: ./run bench -k qris"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.qris.code import QrisCode
from ledger.qris.presented import Presented, present

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

CODES = 1_000
STARBUCKS = (
    "00020101021226610014COM.GO-JEK.WWW01189360091432343267810210G2343267810303UBE51440014ID.CO.QRIS.WWW0215ID20190143816000303UBE"
    "5204581253033605802ID5910Starbucks 6013JAKARTA PUSAT610510210540839000.006239502801202104130502044NMWVA6P4CID0703A0363049A04"
)


@pytest.mark.parametrize("way", ["read", "written"])
def test_merchant_codes(benchmark: BenchmarkFixture, way: str) -> None:
    code = QrisCode.read(STARBUCKS)
    read = QrisCode.read
    rounds = {
        "read": lambda: [read(STARBUCKS) for _ in range(CODES)],
        "written": lambda: [code.text() for _ in range(CODES)],
    }
    benchmark.extra_info["codes"] = CODES
    assert benchmark(rounds[way])


def test_payers_payloads(benchmark: BenchmarkFixture) -> None:
    text = present("9360099900000005028", "HOLDER A", b"4F7K2M9Q").text()
    benchmark.extra_info["codes"] = CODES
    assert benchmark(lambda: [Presented.read(text) for _ in range(CODES)])
