"""What `test_console_scanning` asks of a scanner, asked of Debian's own clamd: with the settings that are shipped, over a signature of the tests' own."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from settlement.console.scanning import Clamd
from tests.settlement.test_console_scanning import (
    BAD,
    NAME,
    looked_at,
    test_a_bad_file_is_named_also_where_two_chunks_meet,
    test_a_bad_file_reaches_no_page_and_stands_in_the_staffs_log,
    test_a_good_file_is_good_whatever_its_length,
    test_of_many_files_one_bad_one_keeps_all_of_them_out,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "test_a_bad_file_is_named_also_where_two_chunks_meet",
    "test_a_bad_file_reaches_no_page_and_stands_in_the_staffs_log",
    "test_a_good_file_is_good_whatever_its_length",
    "test_of_many_files_one_bad_one_keeps_all_of_them_out",
]
CLAMD: Final = "/usr/sbin/clamd"
DEPLOY: Final = Path(__file__).resolve().parents[2] / "deploy"
PATIENCE: Final = 60.0


@contextmanager
def clamd(folder: Path, bytes_max: str = "600M") -> Iterator[str]:
    """A real clamd with the settings of deploy/clamd.conf, and a database of one signature."""
    signatures = folder / "signatures"
    signatures.mkdir()
    (signatures / "test.ndb").write_text(f"{NAME}:0:*:{BAD.hex()}\n", encoding="ascii")
    own = {
        "LocalSocket": folder / "clamd.ctl",
        "DatabaseDirectory": signatures,
        "Foreground": "yes",
        "TemporaryDirectory": folder,
        "User": "root",
    }
    shipped = (
        (DEPLOY / "clamd.conf")
        .read_text(encoding="utf-8")
        .replace("MaxFileSize 600M", f"MaxFileSize {bytes_max}")
    )
    assert bytes_max in shipped
    (folder / "clamd.conf").write_text(
        "".join(f"{name} {value}\n" for name, value in own.items()) + shipped, encoding="utf-8"
    )
    process = subprocess.Popen(
        [CLAMD, "-c", str(folder / "clamd.conf")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until = time.monotonic() + PATIENCE
        while not (folder / "clamd.ctl").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()[0]
        yield str(folder / "clamd.ctl")
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def path() -> Iterator[str]:
    """The socket of a scanner."""
    with tempfile.TemporaryDirectory(prefix="kshav") as folder, clamd(Path(folder)) as found:
        yield found


def test_what_is_larger_than_clamd_looks_at_is_bad_by_the_settings_that_are_shipped() -> None:
    with tempfile.TemporaryDirectory(prefix="kshav") as folder, clamd(Path(folder), "1M") as path:
        assert looked_at(Clamd(path), bytes(900_000)) == "good"
        assert looked_at(Clamd(path), bytes(1_100_000)).startswith("FileUnsafe")
