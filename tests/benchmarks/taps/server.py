"""The ledger's HTTP server of a prepared city, as a process of its own: `python -m tests.benchmarks.taps.server FOLDER URL`; it prints its address."""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from hebat.allocating import keep_memory
from hebat.application import application
from hebat.demo import town
from hebat.folder import Folder
from hebat.serving import LoopbackServer, set_aside, take_short_turns
from hebat.wiring import City
from keys.clock import SystemClock
from ledger.intake.receive import Intake
from ledger.preparing import Preparing
from ledger.warming import warm
from ledger.writer import Writer


def _profiled(owner: Any, name: str, profile: cProfile.Profile) -> None:
    """Profile one method; of several threads in it at once, the first one."""
    method, lock = getattr(owner, name), threading.Lock()

    def measured(*given: Any) -> Any:
        if not lock.acquire(blocking=False):
            return method(*given)
        try:
            return profile.runcall(method, *given)
        finally:
            lock.release()

    setattr(owner, name, measured)


def main() -> None:
    """Serve until the input ends, begun as `hebat ledger serve` begins: what is compiled is loaded before the first tap. Logs go to the standard error."""
    take_short_turns()
    keep_memory()
    warm()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    folder = Folder(Path(sys.argv[1]), sys.argv[2])
    profiles = {name: cProfile.Profile(time.thread_time) for name in ("intake", "prepare", "commit")}
    if os.environ.get("KSH_PROFILE"):
        _profiled(Intake, "receive", profiles["intake"])
        _profiled(Preparing, "prepare", profiles["prepare"])
        _profiled(Writer, "_commit", profiles["commit"])
    with City(folder, town.CONFIGURATION, SystemClock()) as city, LoopbackServer(application(city)) as server:
        set_aside()
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        sys.stdin.readline()
    for name in profiles if os.environ.get("KSH_PROFILE") else ():
        sys.stderr.write(f"== {name}, processor time\n")
        pstats.Stats(profiles[name], stream=sys.stderr).sort_stats("tottime").print_stats(28)


if __name__ == "__main__":
    main()
