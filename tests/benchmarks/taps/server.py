"""The ledger's HTTP server of a prepared city, as a process of its own: `python -m tests.benchmarks.taps.server FOLDER URL`; it prints its address."""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import threading
from pathlib import Path
from typing import Any

import structlog

from hebat.application import application
from hebat.demo import town
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys.clock import SystemClock
from ledger.intake.receive import Intake
from ledger.writer import Writer


def _profiled(owner: Any, name: str, profile: cProfile.Profile) -> None:
    """Profile one method, in whatever thread it runs (one at a time)."""
    method, lock = getattr(owner, name), threading.Lock()

    def measured(*given: Any) -> Any:
        with lock:
            return profile.runcall(method, *given)

    setattr(owner, name, measured)


def main() -> None:
    """Serve until the input ends; logs go to the standard error."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder = Folder(Path(sys.argv[1]), sys.argv[2])
    profile = os.environ.get("KSH_PROFILE", "")
    profiles = cProfile.Profile()
    if profile == "writer":
        _profiled(Writer, "_prepare", profiles)
    elif profile == "intake":
        _profiled(Intake, "_opened", profiles)
        _profiled(Intake, "_examined", profiles)
    with City(folder, town.CONFIGURATION, SystemClock()) as city, LoopbackServer(application(city)) as server:
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        sys.stdin.readline()
    if profile:
        pstats.Stats(profiles, stream=sys.stderr).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
