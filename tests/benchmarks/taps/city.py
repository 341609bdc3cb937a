"""A city on a PostgreSQL with fsync on, its cards and terminals, and their signed batches made beforehand."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hebat.load.kit import Plan, made
from tests.ledger.crash.cluster import Cluster, _drop
from tests.ledger.crash.nursery import DYING

if TYPE_CHECKING:
    from hebat.folder import Folder


class BenchCluster(Cluster):
    """The crash tests' PostgreSQL with the memory of a server: fsync and synchronous_commit stay on."""

    SETTINGS: Final[dict[str, str]] = {
        "listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "max_connections": "60", "shared_buffers": "256MB",
        "max_wal_size": "8GB", "checkpoint_timeout": "30min", "io_method": "sync", "autovacuum": "on",
        "wal_init_zero": "off",  # as in deploy/postgresql.conf
    }  # fmt: skip

    def start(self) -> None:
        """Start it, and return once it answers."""
        settings = self.SETTINGS | {"unix_socket_directories": str(self.folder)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._postmaster = subprocess.Popen(
                [*DYING, str(self._programs / "postgres"), "-D", str(self.data), *options],
                user=_drop(), cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        self.await_answer()

    @property
    def pid(self) -> int:
        """The postmaster."""
        assert self._postmaster is not None
        return self._postmaster.pid


@dataclass(frozen=True, slots=True)
class Rush:
    """How much is sent: cards, terminals, batches of each, taps of each batch."""

    cards: int = 20_000
    terminals: int = 64
    batches: int = 8
    taps: int = 500

    @property
    def total(self) -> int:
        """All taps."""
        return self.terminals * self.batches * self.taps


def prepared(folder: Folder, rush: Rush) -> list[list[bytes]]:
    """Found the city, issue cards, enrol terminals; for each terminal its batches, chained and signed."""
    plan = Plan(rush.cards, rush.terminals, rush.batches, rush.taps, even=True)
    streams: dict[int, list[bytes]] = {}
    for terminal, body in made(folder, plan):
        streams.setdefault(terminal, []).append(body.octets)
    return list(streams.values())
