"""The compiled kernel that reads signed records never looks beside its columns: it is compiled anew with every access checked, and given what nobody checked before."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
INPUTS: Final = 4_000
DECODER: Final = "records by columns"


def main() -> None:
    """In a process of its own, whose kernels raise IndexError beyond a column's end: print how many inputs were read."""
    from tests.fuzz.table import BY_NAME  # noqa: PLC0415
    from tests.fuzz.worker import inputs  # noqa: PLC0415

    decoder, dice = BY_NAME[DECODER], random.Random(DECODER)
    read = 0
    for data in itertools.islice(inputs(decoder, list(decoder.seeds()), dice), INPUTS):
        decoder.decode(data)
        read += 1
    print(read)  # noqa: T201


@pytest.mark.slow
def test_no_input_makes_the_kernel_read_or_write_beside_its_columns(tmp_path: Path) -> None:
    around = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    words = [sys.executable, "-c", "from tests.ledger.test_intake_columns_bounds import main; main()"]
    ran = subprocess.run(
        words, cwd=ROOT, env=around, capture_output=True, check=False, text=True, timeout=600
    )
    assert (ran.returncode, ran.stdout) == (0, f"{INPUTS}\n"), ran.stderr[-2000:]
