"""Fetch from the ledger what is newer than what is here, and take it in; one refused bundle keeps no other away."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from keys.bundle import BUNDLE_BYTES_MAX, BundleKind
from keys.clock import UnixMs
from terminals.errors import BundleGap, BundleRefused, TerminalError, UploadRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keys.bundle import Bundle
    from keys.clock import Clock
    from terminals.bundles.kept import KeptBundles

FETCHES_MAX: Final = 16
"""How many bundles of a kind are taken in at one go: a chain of deltas, or full ones with dates ahead."""
TIME: Final = "time"
NEVER: Final = UnixMs(0)
_PATH: Final = "/v1/bundles"
_log = structlog.get_logger("terminals.bundles")


class Source(Protocol):
    """Where bundles come from: a terminal's line to its ledger."""

    def get(self, path: str, query: Mapping[str, str], bytes_max: int) -> bytes | None:
        """What stands at a path, None where there is nothing; raises Offline, UploadRefused."""


@dataclass(slots=True)
class Refreshed:
    """What came of a look at the ledger: bundles taken in, and a sentence for each that was refused.

    `heard_at` is when the ledger said what is newest (0: it did not), `drift_ms` its clock less this terminal's, then (None: not told).
    """

    taken: list[Bundle] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    heard_at: UnixMs = NEVER
    drift_ms: int | None = None
    hotlist_current: bool = False


def refresh(kept: KeptBundles, source: Source, clock: Clock) -> Refreshed:
    """Catch up with the ledger, kind by kind; never raises: without the ledger, what is here stays in force."""
    done = Refreshed()
    asked_at = clock.now()
    try:
        newest = _newest(kept, source)
    except TerminalError as error:
        done.refused.append(str(error))
        return done
    at = done.heard_at = clock.now()
    if TIME in newest:  # what the ledger's clock showed, it showed half-way between question and answer
        done.drift_ms = newest[TIME] - (asked_at + at) // 2
    for kind in BundleKind:
        if newest.get(kind.value, 0) > kept.newest(kind):
            _try_kind(kept, source, kind, at, done)
    done.hotlist_current = kept.newest(BundleKind.HOTLIST) >= newest.get(BundleKind.HOTLIST.value, 0)
    return done


def _newest(kept: KeptBundles, source: Source) -> dict[str, int]:
    """The ledger's newest number of each kind; unsigned: it only says what is worth asking for."""
    data = source.get(_PATH, {"audience": kept.audience}, BUNDLE_BYTES_MAX)
    try:
        found: Any = json.loads(data or b"{}")
    except ValueError:
        raise UploadRefused(200, "the list of bundles is no JSON: is this a ledger's address?") from None
    return (
        {name: value for name, value in found.items() if type(value) is int}
        if isinstance(found, dict)
        else {}
    )


def _try_kind(kept: KeptBundles, source: Source, kind: BundleKind, at: UnixMs, done: Refreshed) -> None:
    try:
        _catch_up(kept, source, kind, at, done)
    except (TerminalError, OSError) as error:  # a full disk too
        _log.warning("bundle not taken", kind=kind.value, reason=str(error))
        done.refused.append(str(error))


def _catch_up(kept: KeptBundles, source: Source, kind: BundleKind, at: UnixMs, done: Refreshed) -> None:
    full = False
    for _ in range(FETCHES_MAX):
        query = {"audience": kept.audience, "have": str(kept.newest(kind)), "full": str(full).lower()}
        data = source.get(f"{_PATH}/{kind}", query, BUNDLE_BYTES_MAX)
        if data is None:
            return
        try:
            done.taken.append(kept.take(data, at))
        except BundleGap:
            if full:
                raise
            full = True
    raise BundleRefused(f"more than {FETCHES_MAX} bundles of {kind} at one go: the rest at the next upload")
