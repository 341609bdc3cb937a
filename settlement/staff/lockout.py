"""How long to wait after tries that failed: pure, the same for a name that nobody has.

Per account the first few tries cost nothing, then each doubles the wait. Per address more are free, for many people may sit behind one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from keys.clock import UnixMs

FREE: Final = {"account": 5, "address": 30}
WAIT_MS: Final = 15_000
WAIT_MS_MAX: Final = 15 * 60_000
FORGOTTEN_MS: Final = 24 * 3_600_000
"""After a day without a try all is forgotten."""


class Subject(StrEnum):
    """What failures are counted for."""

    ACCOUNT = "account"
    ADDRESS = "address"


def until(subject: Subject, failures: int, at: UnixMs) -> UnixMs:
    """When the next try may come, after so many failures."""
    beyond = failures - FREE[subject]
    if beyond < 0:
        return at
    return UnixMs(at + min(WAIT_MS << min(beyond, 20), WAIT_MS_MAX))
