"""Signed taps over HTTP into a PostgreSQL with fsync on: how many a second, and whose processor time each one takes.

`python -m tests.benchmarks.taps.rush [BATCHES [CONNECTIONS]]` does it once, `tests/benchmarks/test_bench_taps.py` is the
benchmark. Server, database and client are processes of their own on one machine; batches are signed beforehand. Processor time is what the machine's other work disturbs least: two free cores give at most 2,000,000 / (sum of microseconds a tap).
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import make_url

from hebat.folder import Folder
from tests.benchmarks.spent import cpu, family
from tests.benchmarks.taps.bare import bare_seconds
from tests.benchmarks.taps.city import BenchCluster, Rush, prepared

if TYPE_CHECKING:
    from types import TracebackType

STORED = ("taps", "transfers", "documents", "batches", "quarantine", "exceptions")


class Rushed:
    """A city whose server waits for the batches that its terminals have signed; they can be sent once."""

    def __init__(self, rush: Rush, connections: int = 16) -> None:
        self._rush, self._connections = rush, connections
        self._end = ExitStack()
        try:
            self._cluster = self._end.enter_context(BenchCluster())
            self._place = Path(self._end.enter_context(tempfile.TemporaryDirectory()))
            self._folder = Folder(self._place / "city", self._cluster.database())
            (self._place / "bodies").write_bytes(pickle.dumps(prepared(self._folder, rush)))
            self._server, self._address = self._started()
        except BaseException:
            self._end.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.close()

    def _started(self) -> tuple[subprocess.Popen[str], str]:
        module = [sys.executable, "-m", "tests.benchmarks.taps.server"]
        log = self._end.enter_context((self._folder.root / "log").open("w"))
        server = subprocess.Popen(
            [*module, str(self._folder.root), self._folder.database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        self._end.callback(self._ended, server)
        assert server.stdout is not None
        return server, server.stdout.readline().strip()

    def _ended(self, server: subprocess.Popen[str]) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.close()
        server.wait(60)
        server.stdout.close()
        if os.environ.get("KSH_PROFILE"):
            text = (self._folder.root / "log").read_text()
            sys.stderr.write(text[text.find("== intake") :])

    def send(self) -> dict[str, Any]:
        """Send everything: figures, with the conditions that they hold for."""
        before = self._used()
        told = self._client()
        used = {name: seconds - before[name] for name, seconds in self._used().items()}
        used["client"] = told.pop("client_cpu")
        each = {
            f"{name}_us_a_tap": round(1e6 * seconds / told["posted"], 2) for name, seconds in used.items()
        }
        reached = {
            "taps_a_second": round(told["posted"] / told["seconds"]),
            "two_free_cores_at_most": round(2e6 / sum(each.values())),
            "cores_had": round(sum(used.values()) / told["seconds"], 2),
        }
        conditions = asdict(self._rush) | {"connections": self._connections, "fsync": "on"}
        return told | each | reached | conditions

    def _used(self) -> dict[str, float]:
        """Processor time so far, by who took it."""
        return {"server": cpu(self._server.pid), "postgres": sum(map(cpu, family(self._cluster.pid)))}

    def _client(self) -> dict[str, Any]:
        module = [sys.executable, "-m", "tests.benchmarks.taps.client"]
        command = [*module, self._address, str(self._place / "bodies"), str(self._connections)]
        before = os.times()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        after = os.times()
        told: dict[str, Any] = json.loads(done.stdout)
        whole = after.children_user + after.children_system - before.children_user - before.children_system
        return told | {"client_cpu": whole}

    def stored(self) -> dict[str, int]:
        """How many rows each table has now."""
        name = str(make_url(self._folder.database).database)
        with closing(self._cluster.connect(name)) as connection, connection.cursor() as cursor:
            found = {}
            for table in STORED:
                cursor.execute(f"SELECT count(*) FROM {table}")
                found[table] = cursor.fetchone()[0]
        return found

    def bare(self) -> float:
        """Seconds that the bare database takes to store once more, in tables of the same shape, what is stored of the taps."""
        with closing(self._cluster.connect(str(make_url(self._folder.database).database))) as connection:
            return bare_seconds(connection)


def run(rush: Rush, connections: int = 16) -> dict[str, Any]:
    """One rush, what is stored after it, and what the bare database makes of the same rows."""
    with Rushed(rush, connections) as rushed:
        told = rushed.send()
        return (
            told | {"stored": rushed.stored()} | {"bare_taps_a_second": round(told["posted"] / rushed.bare())}
        )


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.stdout.write(json.dumps(run(Rush(batches=numbers[0] if numbers else 8), *numbers[1:2]), indent=1))
