"""How far a terminal may be trusted while nobody hears of it: age of its hotlist, value that it owes, its clock.

All of it is the city's to set (`Limits` in its bundle); what is here decides, purely, from figures that the outbox keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from terminals.fares import FareRefused

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from keys.money import Rupiah
    from terminals.bundles.contents import Limits

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WARNING_DAYS: Final = 25
"""How long records may wait for the ledger before the terminal says so; none is ever lost by its age."""
DRIFT_MS_MAX: Final = 10 * 60_000
"""A clock that is further off than this decides no fare: transfer windows and concessions hang on it."""
SET_BACK_MS_MAX: Final = 5 * 60_000
"""How far a clock may be behind what this terminal knows has passed, before it counts as set back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the outbox knows: last contact with the ledger, newest record, what waits and since when, the clock's error.

    Moments are milliseconds since 1970 (0: never); `owed` is whole rupiah that cards paid and the ledger has not confirmed;
    `drift_ms` is the ledger's clock less this one's.
    """

    contact_at: UnixMs
    newest_at: UnixMs
    oldest_at: UnixMs
    waiting: int
    owed: Rupiah
    drift_ms: int

    @property
    def passed_at(self) -> int:
        """The newest moment that has certainly passed: of a record, or of the last contact by whichever clock was behind."""
        return max(self.newest_at, self.contact_at + min(self.drift_ms, 0))


def need_trust(standing: Standing, limits: Limits, at: UnixMs) -> None:
    """Raises FareRefused where a terminal has been alone for too long, owes too much, or has a clock that cannot be right."""
    if at < standing.passed_at - SET_BACK_MS_MAX or abs(standing.drift_ms) > DRIFT_MS_MAX:
        raise FareRefused(
            "clock-wrong", "this terminal's clock is wrong: set it, or connect it, before the next tap"
        )
    if at - standing.contact_at > limits.hotlist_hours_max * HOUR_MS:
        raise FareRefused(
            "offline-too-long",
            f"no news of blocked cards for more than {limits.hotlist_hours_max} hours: connect this terminal",
        )
    if standing.waiting >= limits.offline_count_max or standing.owed >= limits.offline_sum_max:
        raise FareRefused(
            "offline-limit", "this terminal has taken as much as it may without the ledger: connect it"
        )


def warnings(standing: Standing, limits: Limits, at: UnixMs) -> tuple[str, ...]:
    """What the screen should say before anything is refused: keys of its texts."""
    found = {
        "outbox-old": bool(standing.waiting) and at - standing.oldest_at > WARNING_DAYS * DAY_MS,
        "outbox-nearly-full": standing.waiting * 10 >= limits.offline_count_max * 9,
        "owes-much": standing.owed * 10 >= limits.offline_sum_max * 9,
        "hotlist-old": (at - standing.contact_at) * 10 > limits.hotlist_hours_max * HOUR_MS * 9,
        "clock-off": abs(standing.drift_ms) * 5 > DRIFT_MS_MAX,
    }
    return tuple(name for name, holds in found.items() if holds)
