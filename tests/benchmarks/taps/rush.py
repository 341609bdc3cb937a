"""Signed taps over HTTP into a PostgreSQL with fsync on: how many a second, and whose processor time each one takes.

`python -m tests.benchmarks.taps.rush [BATCHES [CONNECTIONS]]`. Server, database and client are processes of their own on one machine; batches are
signed beforehand. Processor time is what the machine's other work disturbs least: two free cores give at most 2,000,000 / (sum of microseconds a tap).
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from hebat.folder import Folder
from tests.benchmarks.spent import cpu, family
from tests.benchmarks.taps.city import BenchCluster, Rush, prepared

if TYPE_CHECKING:
    from tests.ledger.crash.cluster import Cluster


def run(rush: Rush, connections: int = 16) -> dict[str, Any]:
    """One rush: figures, with the conditions that they hold for."""
    cluster = BenchCluster()
    with cluster, tempfile.TemporaryDirectory() as where:
        folder = Folder(Path(where) / "city", cluster.database())
        bodies = Path(where) / "bodies"
        bodies.write_bytes(pickle.dumps(prepared(folder, rush)))
        checked = _measured(cluster, folder, bodies, connections)
        conditions = asdict(rush) | {"connections": connections, "fsync": "on"}
        return checked | conditions | {"stored": _stored(cluster, folder)}


def _measured(cluster: BenchCluster, folder: Folder, bodies: Path, connections: int) -> dict[str, Any]:
    module = [sys.executable, "-m", "tests.benchmarks.taps.server", str(folder.root), folder.database]
    log = (folder.root / "log").open("w")
    server = subprocess.Popen(module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        families = {"server": [server.pid], "postgres": family(cluster.pid)}
        before = {name: sum(map(cpu, pids)) for name, pids in families.items()}
        told = _client(address, bodies, connections)
        families["postgres"] = family(cluster.pid)
        used = {name: sum(map(cpu, pids)) - before[name] for name, pids in families.items()}
        used["client"] = told.pop("client_cpu")
    finally:
        server.stdin.close()
        server.wait(60)
        log.close()
        if os.environ.get("KSH_PROFILE"):
            text = (folder.root / "log").read_text()
            sys.stderr.write(text[text.find("== intake") :])
    each = {f"{name}_us_a_tap": round(1e6 * seconds / told["posted"], 2) for name, seconds in used.items()}
    return told | each | {
        "taps_a_second": round(told["posted"] / told["seconds"]),
        "two_free_cores_at_most": round(2e6 / sum(each.values())),
        "cores_had": round(sum(used.values()) / told["seconds"], 2),
    }  # fmt: skip


def _client(address: str, bodies: Path, connections: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.taps.client", address, str(bodies), str(connections)]
    before = os.times()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    after = os.times()
    told: dict[str, Any] = json.loads(done.stdout)
    whole = after.children_user + after.children_system - before.children_user - before.children_system
    return told | {"client_cpu": whole}


def _stored(cluster: Cluster, folder: Folder) -> dict[str, int]:
    with (
        closing(cluster.connect(str(make_url(folder.database).database))) as connection,
        connection.cursor() as cursor,
    ):
        found = {}
        for table in ("taps", "transfers", "documents", "batches", "quarantine", "exceptions"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            found[table] = cursor.fetchone()[0]
    return found


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.stdout.write(json.dumps(run(Rush(batches=numbers[0] if numbers else 8), *numbers[1:2]), indent=1))
