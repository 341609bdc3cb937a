"""The same with libFuzzer behind it (atheris): inputs that reach new lines are kept in the corpus.

atheris is an extra of the project, which `./run fuzz --guided` installs.
"""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import atheris

from tests.fuzz.trial import tried
from tests.fuzz.worker import slug

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.trial import Decoder

RSS_MB_MAX: Final = 3000
INPUT_SECONDS_MAX: Final = 60
"""Of a clock on the wall, on a machine that may be busy."""
INPUT_BYTES_MAX: Final = 4096
ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("card", "keys", "ledger", "settlement", "terminals", "hebat")
_COMPILED: Final = re.compile(r"^@compiled|njit", re.MULTILINE)


def _kernels() -> Iterator[str]:
    """Modules whose functions are compiled."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if _COMPILED.search(path.read_text(encoding="utf-8")):
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported() -> Any:
    """The table, with the packages' lines counted; not those of kernels, for their compiler takes no line with a counter in it."""
    with atheris.instrument_imports(include=list(PACKAGES), exclude=list(_kernels())):
        from tests.fuzz import table  # noqa: PLC0415  under the instrument
    return table


def work(decoder: Decoder, seconds: float, seed: int, folder: Path) -> None:
    """Fuzz until the time is over or something breaks: libFuzzer keeps the input, and ends this process."""
    warnings.simplefilter("ignore")
    found, failed = folder / "corpus" / slug(decoder.name), folder / "failed" / slug(decoder.name)
    for place in (found, failed):
        place.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(decoder.seeds()):
        (found / f"seed-{number}").write_bytes(one)
        tried(decoder, one)

    def one_input(data: bytes) -> None:
        tried(decoder, data)

    options = {
        "max_total_time": int(seconds), "seed": seed, "timeout": INPUT_SECONDS_MAX, "rss_limit_mb": RSS_MB_MAX, "max_len": INPUT_BYTES_MAX,
        "print_final_stats": 1, "verbosity": 0, "artifact_prefix": f"{failed}/",
    }  # fmt: skip
    atheris.Setup(
        [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(found)], one_input
    )
    atheris.Fuzz()
