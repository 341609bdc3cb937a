"""A tap at a terminal with its outbox on disk: nearly empty and nearly full; and a terminal's start.

Run with `./run bench -k terminal`. Compare figures of one run only; p50 and p99 are in extra_info.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from card.batch import encode_record
from hebat.application import application
from hebat.fleet import Post, enrol
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.money import Rupiah
from keys.rights import TerminalRole
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import RECORDS_MAX, Outbox
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from tests.benchmarks.cards import AT, city_vault, loaded
from tests.ledger.desk import OPERATOR, open_scene
from tests.terminals.depot import Clock
from tests.terminals.test_terminal_outbox import record

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 300


def filled(path: Path, records: int) -> Outbox:
    """An outbox that holds so many records already."""
    outbox = Outbox(path)
    rows = (
        (n, "ready", b"\x04" * 7, encode_record(replace(record(n), tmi=bytes(224), occurred_at=AT)), -1)
        for n in range(1, records + 1)
    )
    with outbox._db:
        outbox._db.execute("BEGIN")
        outbox._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
        outbox._db.execute("INSERT OR REPLACE INTO state VALUES ('last sequence', ?)", (records,))
    outbox.close()
    return Outbox(path)


@pytest.mark.benchmark(group="terminal: a sale with the outbox on disk (synchronous=FULL)")
@pytest.mark.parametrize("records", [0, RECORDS_MAX - 2 * ROUNDS - 10])
def test_bench_terminal_sale(benchmark: BenchmarkFixture, tmp_path: Path, records: int) -> None:
    keys = city_vault(tmp_path)
    chip, outbox = loaded(keys), filled(tmp_path / "outbox.db", records)
    till = Terminal(Parts(1001, outbox, keys, None, Clock(AT), TRANS_SEMARANG_2022))  # type: ignore[arg-type]
    benchmark.pedantic(till.sale, args=(chip, Rupiah(1)), rounds=ROUNDS, warmup_rounds=20)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    times = sorted(benchmark.stats.stats.data)
    benchmark.extra_info |= {
        "records": records,
        "p50_ms": round(1000 * times[len(times) // 2], 3),
        "p99_ms": round(1000 * times[len(times) * 99 // 100], 3),
    }
    assert outbox.waiting == records + ROUNDS + 20
    outbox.close()


@pytest.mark.benchmark(group="terminal: start")
def test_bench_terminal_imports(benchmark: BenchmarkFixture) -> None:
    """What a terminal loads before it can serve a card; the interpreter's own start is in it."""
    modules = "terminals.station, terminals.opening, terminals.screen.web, terminals.roles.choosing, card.pcsc, uvicorn"

    def start() -> int:
        return subprocess.run([sys.executable, "-c", f"import {modules}"], check=True).returncode

    assert benchmark.pedantic(start, rounds=5) == 0  # type: ignore[no-untyped-call]


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A validator's own folder, enrolled in a city."""
    scene = open_scene(Folder(tmp_path / "city"), fresh=True)
    with scene.city, LoopbackServer(application(scene.city)) as server:
        post = Post(1001, TerminalRole.VALIDATOR, OPERATOR)
        enrol(scene.city, post, server.address, TRANS_SEMARANG_2022).__exit__(None, None, None)
    return scene.city.folder.terminal(1001)


def _of(process: int, name: str) -> str:
    return Path(f"/proc/{process}/{name}").read_text(encoding="ascii")


@pytest.mark.benchmark(group="terminal: start")
def test_bench_terminal_start_to_ready(benchmark: BenchmarkFixture, device: Path) -> None:
    """`hebat terminal run` until its screen answers: time on the wall, processor seconds, and the most memory (kB) it had."""
    command = [sys.executable, "-m", "hebat.cli", "terminal", "run", "--folder", str(device), "--port", "0"]
    worked, peaks = list[float](), list[int]()

    def start() -> float:
        begun = perf_counter()
        with subprocess.Popen(
            [*command, "--ledger", "http://127.0.0.1:9"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b"http://127.0.0.1:")
            took, fields = perf_counter() - begun, _of(process.pid, "stat").rpartition(")")[2].split()
            worked.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
            peaks.extend(map(int, re.findall(r"VmHWM:\s+(\d+)", _of(process.pid, "status"))))
            process.kill()
        return took

    took = benchmark.pedantic(start, rounds=3)  # type: ignore[no-untyped-call]
    assert took > 0
    benchmark.extra_info |= {"processor_s": min(worked), "memory_peak_kb": max(peaks)}
