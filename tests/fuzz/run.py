"""Fuzzes every decoder in turn until it is stopped: `./run fuzz [--guided] [--seconds N] [--rounds N] [NAME...]`.

Inputs are counted in var/fuzz/counts*.json, over all runs; inputs that broke something lie in var/fuzz/failed, with what it was. `--guided` has libFuzzer
choose inputs by the lines that they reach; what it finds, the plain way changes further.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.trial import Decoder

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "var" / "fuzz"
GRACE_SECONDS: Final = 60
"""Processor time that a turn may take beside its fuzzing: compiling, one slow input."""
_STATS: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


class Counts:
    """How many inputs each decoder had, over all runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.told: dict[str, dict[str, int]] = json.loads(path.read_text()) if path.exists() else {}

    def add(self, name: str, inputs: int, faults: int) -> None:
        """Note a turn; whole on the disk or not at all."""
        row = self.told.setdefault(name, {"inputs": 0, "faults": 0})
        row["inputs"] += inputs
        row["faults"] += faults
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self.told, indent=1, sort_keys=True))
        new.replace(self._path)

    def sum(self, what: str) -> int:
        """All inputs, or all faults."""
        return sum(row[what] for row in self.told.values())


def in_a_process(act: Callable[[], Any], seconds: float, log: Path) -> int:
    """Do something in a process that inherits what is loaded here; what it ended with (negative: a signal)."""
    from tests.fuzz import world  # noqa: PLC0415  after the instrument, where there is one

    home = world.home()
    pid = os.fork()
    if pid:
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for left in home.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        return ended
    code = 1
    try:
        with log.open("wb") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        most = int(seconds) + GRACE_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
        told = act()
        log.with_suffix(".json").write_text(json.dumps(told))
        code = 0
    except BaseException:  # noqa: BLE001  the log says it; this process has nobody else to tell
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def turn(decoder: Decoder, seconds: float, seed: int) -> tuple[int, list[str]]:
    """Inputs by chance for some seconds: how many, and what broke."""
    from tests.fuzz import worker  # noqa: PLC0415  after the instrument, where there is one

    log = FOLDER / f"{worker.slug(decoder.name)}.log"
    code = in_a_process(lambda: worker.work(decoder, seconds, seed, FOLDER), seconds, log)
    if code == 0:
        told = json.loads(log.with_suffix(".json").read_text())
        return told["inputs"], told["faults"]
    how = f"the process ended with {signal.Signals(-code).name if code < 0 else code}"
    data = worker.Current.read(FOLDER / f"current-{worker.slug(decoder.name)}")
    worker.keep(FOLDER, decoder, data, f"{how}\n{log.read_text(errors='replace')[-3000:]}")
    return 0, [how]


def guided_turn(decoder: Decoder, seconds: float, seed: int) -> tuple[int, list[str]]:
    """Inputs by what they reach, for some seconds of a clock on the wall or until the first fault."""
    from tests.fuzz import guided, worker  # noqa: PLC0415  atheris is not always there

    log = FOLDER / f"{worker.slug(decoder.name)}-guided.log"
    code = in_a_process(lambda: guided.work(decoder, seconds, seed, FOLDER), 3 * seconds, log)
    said = log.read_text(errors="replace")
    found = _STATS.search(said)
    faults = [line[:200] for line in said.splitlines() if "Broken:" in line or "ERROR: libFuzzer" in line][:1]
    return int(found[1]) if found else 0, faults or ([f"the process ended with {code}"] if code else [])


def main() -> int:
    """Until stopped, or for some rounds; 1 where something broke."""
    asked = argparse.ArgumentParser(prog="./run fuzz", description=__doc__)
    asked.add_argument("names", nargs="*", help="decoders; all by default")
    asked.add_argument("--guided", action="store_true", help="by libFuzzer (the extra `guided`)")
    asked.add_argument("--seconds", type=float, default=20, help="how long a turn is")
    asked.add_argument(
        "--rounds", type=int, default=0, help="how often each has its turn; 0 is until stopped"
    )
    given = asked.parse_args()
    if given.guided:
        from tests.fuzz.guided import imported  # noqa: PLC0415  likewise

        table: Any = imported()
    else:
        from tests.fuzz import table  # noqa: PLC0415  not under the instrument
    decoders = [table.BY_NAME[name] for name in given.names] or table.DECODERS
    FOLDER.mkdir(parents=True, exist_ok=True)
    counts = Counts(FOLDER / f"counts{'-guided' if given.guided else ''}.json")
    broken = fuzz(decoders, guided_turn if given.guided else turn, given, counts)
    say(
        f"{counts.sum('inputs'):,} inputs in all, {counts.sum('faults')} faults; what broke lies in {FOLDER.relative_to(ROOT)}/failed"
    )
    return 1 if broken else 0


def fuzz(
    decoders: list[Decoder], act: Callable[[Decoder, float, int], tuple[int, list[str]]], given: argparse.Namespace, counts: Counts
) -> int:  # fmt: skip
    """Turn after turn; how many faults."""
    broken = 0
    try:
        for _ in itertools.repeat(0) if not given.rounds else range(given.rounds):
            for decoder in decoders:
                inputs, faults = act(decoder, given.seconds, time.time_ns() % (1 << 30))
                counts.add(decoder.name, inputs, len(faults))
                broken += len(faults)
                say(f"{counts.sum('inputs'):12,} inputs  {decoder.name}: {inputs:,}")
                for one in faults:
                    say(f"    {one}")
    except KeyboardInterrupt:
        pass
    return broken


def say(line: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
