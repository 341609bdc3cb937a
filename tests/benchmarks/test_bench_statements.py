"""A statement of a million lines, as MT940 and as camt.053 (with its schema where that is at hand), beside reading its bytes alone.

Run with `pytest tests/benchmarks/test_bench_statements.py --benchmark-only`; HEBAT_STATEMENT_LINES makes it smaller. Each format runs in a
process of its own, whose peak of memory is told with and without what the bytes take. The tenth of the lines runs too: cost must grow
as the lines do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.shared_data import shared_data

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROOT = Path(__file__).parents[2]
LINES = int(os.environ.get("HEBAT_STATEMENT_LINES", "1000000"))
MEMORY_A_LINE_MAX = 1_500
"""Bytes beside the file's own."""
GROWTH_MAX = 1.6
"""How much dearer a line may be in ten times as many: the machine may be busy, a square would be ten."""


def load(form: str, lines: int, folder: Path) -> dict[str, Any]:
    data = shared_data()
    words = [sys.executable, "-m", "tests.benchmarks.statement_load", form, str(lines), str(folder)]
    if data is not None:
        words.append(str(data / "xsd"))
    done = subprocess.run(words, check=True, capture_output=True, cwd=ROOT, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("form", ["mt940", "camt053"])
def test_a_statement_of_a_million_lines(benchmark: BenchmarkFixture, form: str, tmp_path: Path) -> None:
    tenth = load(form, LINES // 10, tmp_path)
    whole: dict[str, Any] = benchmark.pedantic(load, args=(form, LINES, tmp_path), rounds=1)  # type: ignore[no-untyped-call]
    growth = tenth["lines_a_cpu_second"] / whole["lines_a_cpu_second"]
    benchmark.extra_info.update(
        whole, times_the_bytes=whole["seconds"] / whole["bytes_seconds"], growth=growth
    )
    assert whole["memory_a_line"] < MEMORY_A_LINE_MAX
    assert growth < GROWTH_MAX
