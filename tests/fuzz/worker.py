"""One decoder under fire for some seconds of processor time.

Each input stands in a file before it is tried, so that one that kills the process is not lost. Memory is bounded for the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import random
import re
import resource
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz import mutate
from tests.fuzz.trial import Broken, tried

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fuzz.trial import Decoder

MEMORY_BYTES_MAX: Final = 512 << 20
"""What a process may take on top of what it has once everything is loaded."""
CORPUS_MAX: Final = 2000
FAILURES_MAX: Final = 20
_LENGTH: Final = 8
_AT_ONCE: Final = 64
_NUMBERS: Final = re.compile(r"\d+")


class Current:
    """The input that is being tried, in a file that outlives the process."""

    def __init__(self, path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(_LENGTH + mutate.INPUT_BYTES_MAX * 2)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def note(self, data: bytes) -> None:
        """Put an input there."""
        self._map[:_LENGTH] = len(data).to_bytes(_LENGTH, "little")
        self._map[_LENGTH : _LENGTH + len(data)] = data

    @staticmethod
    def read(path: Path) -> bytes:
        """The input that was there last."""
        whole = path.read_bytes()
        return whole[_LENGTH : _LENGTH + int.from_bytes(whole[:_LENGTH], "little")]


def corpus(decoder: Decoder, folder: Path) -> list[bytes]:
    """The writers' own inputs, then those that fuzzing found to lead somewhere new."""
    found = sorted((folder / "corpus" / slug(decoder.name)).glob("*"))[:CORPUS_MAX]
    return [*decoder.seeds(), *(path.read_bytes()[: mutate.INPUT_BYTES_MAX] for path in found)]


def slug(name: str) -> str:
    """A decoder's name as a folder's."""
    return "-".join("".join(one if one.isalnum() else " " for one in name.lower()).split())


def inputs(decoder: Decoder, seeds: Sequence[bytes], dice: random.Random) -> Iterator[bytes]:
    """Changed inputs without end."""
    change_values = {"cbor": mutate.of_cbor, "json": mutate.of_json}.get(decoder.encoding)
    while True:
        seed = seeds[dice.randrange(len(seeds))]
        changes = [mutate.drawn(dice) for _ in range(1 + dice.getrandbits(3) % 5)]
        body = None
        if change_values is not None and dice.getrandbits(2):
            try:
                body = change_values(seed, changes)
            except Exception:  # noqa: BLE001  a seed of fuzzing need not be CBOR or JSON, nor a changed value have an encoding
                body = None
        yield mutate.changed(seed, changes, seeds) if body is None else body


def keep(folder: Path, decoder: Decoder, data: bytes, why: str) -> Path:
    """Keep an input that broke something, beside what it broke."""
    place = folder / "failed" / slug(decoder.name)
    place.mkdir(parents=True, exist_ok=True)
    path = place / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(f"{why}\n", encoding="utf-8")
    return path


def bound_memory() -> None:
    """From here on this process gets so much more, and then MemoryError."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def work(decoder: Decoder, seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Try inputs until the processor time is over: how many, how many were taken, and what broke, each fault once."""
    warnings.simplefilter("ignore")
    dice, current = random.Random(seed), Current(folder / f"current-{slug(decoder.name)}")
    for one in decoder.seeds():
        with contextlib.suppress(Exception):
            decoder.decode(one)  # compiled and loaded before anything is measured
    seeds = corpus(decoder, folder)
    bound_memory()
    count, taken, faults = 0, 0, dict[str, str]()
    until = time.process_time() + seconds
    for data in inputs(decoder, seeds, dice):
        current.note(data)
        try:
            taken += tried(decoder, data)
        except Broken as error:
            why = _NUMBERS.sub("#", str(error))[:80]
            if why not in faults and len(faults) < FAILURES_MAX:
                faults[why] = str(keep(folder, decoder, data, str(error)))
        count += 1
        if count % _AT_ONCE == 0 and time.process_time() > until:
            break
    return {"inputs": count, "taken": taken, "faults": list(faults)}
