"""The knee of a whole server on each database, as the Markdown that docs/reliability.md and docs/operations.md hold.

`python -m tests.benchmarks.knee --picture docs/img/load.svg`, on a machine that does nothing else. The commands are those that anybody types: `hebat load
prepare`, `hebat serve`, `hebat load run`; server, database and terminals are processes of their own, and nothing is less durable than in a city.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg2
from sqlalchemy import make_url

from hebat import embedded
from tests.benchmarks.spent import cpu, family, memory_most

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEBAT: Final = [sys.executable, "-m", "hebat.cli"]
HEAD: Final = """\
| batches a second | what | half within | 99 of 100 within | longest answer once sent, 99 of 100 | sent away |
|---|---|---|---|---|---|"""
DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is prepared, and how the ladder is climbed."""

    cards: int
    terminals: int
    batches: int
    taps: int
    first: float
    seconds: float
    within: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a climb showed: the command's own document, and what it cost."""

    told: dict[str, Any]
    server_seconds: float
    database_seconds: float
    memory: int
    disk: int

    def rows(self) -> list[str]:
        """The table's lines."""
        return [_row(step, self.told["knee"]) for step in self.told["steps"]]

    def sentence(self, plan: Plan) -> str:
        """What it cost, in words."""
        batches = sum(step["answered"] for step in self.told["steps"])
        posted = self.told["posted"]
        spent = f"{1000 * self.server_seconds / batches:.1f} ms of the server's processor time"
        if self.database_seconds:
            spent += f" and {1000 * self.database_seconds / batches:.1f} ms of PostgreSQL's"
        return (
            f"A batch of {posted / batches:.0f} taps took {spent}; the server had {self.memory / 1e6:.0f} MB at most; the books took "
            f"{self.disk / 1e6:.1f} MB for {posted:,.0f} taps and {plan.cards:,} cards: {self.disk / 1000 / posted:.2f} kB a tap. "
            f"Lost or doubled: {self.told['lost']:.0f}; sheds: {self.told['sheds']}; recovers: {self.told['recovers']}."
        )


def _row(step: dict[str, Any], knee: float | None) -> str:
    what = f"{step['what']}: the knee" if step["what"] == "borne" and step["rate"] == knee else step["what"]
    times = (step["latency_ms"]["p50"], step["latency_ms"]["p99"], step["served_ms"]["p99"])
    cells = [f"{step['rate']:.0f}", what, *(f"{one:,.0f} ms" for one in times), f"{step['shed']:,}"]
    return f"| {' | '.join(cells)} |"


def measured(database: str, plan: Plan, picture: Path | None = None) -> Measured:
    """Prepare a city on a database of its own, serve it, climb."""
    with tempfile.TemporaryDirectory() as where, _database(database) as (url, postmaster):
        folder = Path(where) / "city"
        environment = os.environ | ({"HEBAT_DATABASE_URL": url} if url else {})
        numbers = {
            "cards": plan.cards,
            "terminals": plan.terminals,
            "batches": plan.batches,
            "taps": plan.taps,
        }
        made = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
        subprocess.run([*HEBAT, "load", "prepare", "--data", folder, *made], check=True, env=environment)
        serve = [*HEBAT, "serve", "--data", str(folder), "--port", "0"]
        with subprocess.Popen(
            serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split("/night")[0]
            before = cpu(server.pid), _of(postmaster)
            told = _climbed(folder, address, plan, picture)
            costs = cpu(server.pid) - before[0], _of(postmaster) - before[1], memory_most(server.pid)
            server.terminate()
        return Measured(told, *costs, _disk(folder, url))


def _climbed(folder: Path, address: str, plan: Plan, picture: Path | None) -> dict[str, Any]:
    options = ["--from", plan.first, "--seconds", plan.seconds, "--within", plan.within, "--json"]
    drawn = [] if picture is None else ["--picture", picture]
    run = [*HEBAT, "load", "run", "--data", folder, "--address", address, *options, *drawn]
    done = subprocess.run(list(map(str, run)), stdout=subprocess.PIPE, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def _database(name: str) -> Iterator[tuple[str, int]]:
    """Its address, and the process of its PostgreSQL; nothing and 0 for the embedded file."""
    if name == "sqlite":
        yield "", 0
        return
    with embedded.server() as folder:
        yield embedded.address(folder), int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _of(postmaster: int) -> float:
    """Seconds of processor time of a PostgreSQL, all its processes together."""
    return sum(map(cpu, family(postmaster))) if postmaster else 0.0


def _disk(folder: Path, url: str) -> int:
    """What the books take, in bytes, once the server ended."""
    if not url:
        return sum(path.stat().st_size for path in folder.glob("ledger.db*"))
    address = make_url(url)
    opened = psycopg2.connect(host=str(address.query["host"]), user=address.username, dbname=address.database)
    with closing(opened) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int((cursor.fetchone() or (0,))[0])


def main(words: Sequence[str]) -> None:
    """Print each database's table."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.knee", description=__doc__)
    asked.add_argument("--database", choices=DATABASES, help="one of them alone")
    for name, value in {"cards": 3000, "terminals": 256, "batches": 160, "taps": 10}.items():
        asked.add_argument(f"--{name}", type=int, default=value)
    asked.add_argument("--from", dest="first", type=float, default=40.0)
    asked.add_argument("--seconds", type=float, default=5.0)
    asked.add_argument("--within", type=float, default=1.0)
    asked.add_argument("--picture", type=Path, help="latency histograms of the last database, as SVG")
    told = vars(asked.parse_args(words))
    one, picture = told.pop("database"), told.pop("picture")
    databases = [one] if one else [*DATABASES]
    plan = Plan(**told)
    for name in databases:
        found = measured(name, plan, picture if name == databases[-1] else None)
        title = f"{DATABASES[name]}, {plan}, {os.cpu_count()} cores"
        sys.stdout.write("\n".join(["", title, "", HEAD, *found.rows(), "", found.sentence(plan), ""]))
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
