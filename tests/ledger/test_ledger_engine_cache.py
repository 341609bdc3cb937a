"""No process but the first compiles the kernel: its code is found on disk, wherever that may be, and never a stale one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ledger
from ledger.compiled import SOURCES

WARM = """
import json
from ledger import kernel, places, streams
from ledger.engine import warm
warm()
used = (kernel.apply, kernel.gather, kernel.publish, places.add, places.grow, places.row_of, streams.freshness_of_all)
print(json.dumps([[sum(one.stats.cache_hits.values()), sum(one.stats.cache_misses.values())] for one in used]))
"""
HASH = """
import json
from ledger import places
places.hash_of(5)
stats = places.hash_of.stats
print(json.dumps([sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), stats.cache_path]))
"""


def run(script: str, folder: Path | None = None, **settings: str) -> list[object]:
    path = {"PYTHONPATH": str(folder)} if folder else {}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    said = subprocess.run(
        [sys.executable, "-B", "-c", script],
        env=environment | path | settings,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found: list[object] = json.loads(said.stdout)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the package in a folder that takes no cache: what stands where it would go is a file."""
    folder = tmp_path / "installed"
    shutil.copytree(
        Path(ledger.__file__).parent, folder / "ledger", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "ledger" / "__pycache__").write_bytes(b"")
    return folder


def test_a_new_process_compiles_nothing_that_an_earlier_one_compiled() -> None:
    run(WARM)
    assert run(WARM) == [[1, 0]] * 7


def test_where_the_package_cannot_be_written_the_code_lies_in_the_users_cache(
    installed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    assert run(HASH, installed, **settings)[:2] == [0, 1]
    hits, misses, path = run(HASH, installed, **settings)
    assert (hits, misses) == (1, 0)
    assert str(path).startswith(str(home))


def test_numba_cache_dir_names_the_place(installed: Path, tmp_path: Path) -> None:
    named = str(tmp_path / "named")
    assert run(HASH, installed, NUMBA_CACHE_DIR=named)[:2] == [0, 1]
    hits, misses, path = run(HASH, installed, NUMBA_CACHE_DIR=named)
    assert (hits, misses) == (1, 0)
    assert str(path).startswith(named)


def test_where_nothing_can_be_written_each_process_compiles(installed: Path) -> None:
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    assert run(HASH, installed, **nowhere) == [0, 1, None]


@pytest.mark.parametrize("name", ["rules", "transfer"])
def test_a_change_in_any_source_makes_the_code_of_all_stale(
    installed: Path, tmp_path: Path, name: str
) -> None:
    named = str(tmp_path / "named")
    run(HASH, installed, NUMBA_CACHE_DIR=named)
    with (installed / "ledger" / f"{name}.py").open("a") as source:
        source.write("# changed\n")
    assert run(HASH, installed, NUMBA_CACHE_DIR=named)[:2] == [0, 1]


def test_the_stamp_covers_every_module_that_is_compiled_or_read_by_one() -> None:
    folder = Path(ledger.__file__).parent
    texts = {path.stem: path.read_text() for path in folder.glob("*.py")}
    compiled = {name for name, text in texts.items() if "@inlined" in text or "@compiled" in text}
    read = {name for name in texts for one in compiled if f"from ledger.{name} import" in texts[one]}
    assert compiled | read | {"rules"} == set(SOURCES)
