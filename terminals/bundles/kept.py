"""The bundles on a terminal's disk: taken in one by one, whole or not at all, and in force from their dates.

One file a bundle, the signed bytes as they came; for a hotlist also its array. A file appears under its name only when it is whole and flushed
(`write_atomically`), the bundle's after its array's: a terminal that dies at any moment has the old one or the new one.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cbor2
import structlog

from keys import bundle as signed
from keys import cbor
from keys.bundle import EVERY, Bundle, BundleKind
from keys.errors import CborMalformed, EnvelopeError, SignatureWrong
from keys.filevault import write_atomically
from terminals.bundles import contents, hotlist
from terminals.bundles.hotlist import NOBODY, Hotlist
from terminals.errors import (
    BundleForeign,
    BundleForged,
    BundleGap,
    BundleMalformed,
    BundleOld,
    BundleRefused,
    BundleTooLarge,
)

if TYPE_CHECKING:
    from pathlib import Path

    from keys.clock import UnixMs

WAITING_MAX: Final = 8
"""How many bundles of a kind may wait for their dates."""
_IN_FORCE: Final = "in-force"

_log = structlog.get_logger("terminals.bundles")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a terminal believes, as it was told at enrolment: its city, the city's bundle key (32 bytes), its own class."""

    city: bytes
    key: bytes
    audience: str


@dataclass(frozen=True, slots=True)
class Held:
    """A bundle that is here, and what its body says."""

    bundle: Bundle
    content: Any


class KeptBundles:
    """A terminal's bundles in a folder; files that are not what was written are left aside, and their bundles fetched again."""

    def __init__(self, folder: Path, trust: Trust) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._trust = trust
        # Taps and uploads are threads of one process: what is held and what is marked changes by one at a time.
        self._alone = threading.RLock()
        self._in_force = self._read_marks()
        self._held: dict[BundleKind, list[Held]] = {kind: [] for kind in BundleKind}
        for path in sorted(folder.glob("*.bundle")):
            self._read(path)

    @property
    def audience(self) -> str:
        """This terminal's class."""
        return self._trust.audience

    def newest(self, kind: BundleKind) -> int:
        """The highest number that is here, in force or waiting; 0 where there is none."""
        held = self._held[kind]
        return held[-1].bundle.number if held else 0

    def in_force(self, kind: BundleKind, at: UnixMs) -> Held | None:
        """What holds at a moment: the highest number whose date has come. What has once been in force stays so if the clock is set back."""
        found, since = None, self._in_force.get(kind, 0)
        for one in self._held[kind]:
            if one.bundle.valid_from <= at or one.bundle.number <= since:
                found = one
        if found is not None and found.bundle.number > since:
            with self._alone:
                self._mark(kind, found.bundle.number)
                self._prune(kind, at)
        return found

    def is_lost(self, kind: BundleKind, at: UnixMs) -> bool:
        """True where what has been in force is not here any more (its file was damaged), and nothing newer is in force."""
        found = self.in_force(kind, at)
        return (found.bundle.number if found else 0) < self._in_force.get(kind, 0)

    def take(self, data: bytes, at: UnixMs) -> Bundle:
        """Take a bundle in; durable when this returns.

        Raises a BundleRefused, which leaves everything as it was; BundleGap where the full one is needed.
        """
        bundle = self._opened(data)
        newest = self.newest(bundle.kind)
        if bundle.number <= newest:
            raise BundleOld(
                f"{bundle.kind} {bundle.number} is not newer than {newest}, which is here: kept that"
            )
        if bundle.number < (
            since := self._in_force.get(bundle.kind, 0)
        ):  # whose file was damaged, or taken away
            raise BundleOld(
                f"{bundle.kind} {bundle.number} is older than {since}, which was in force here: not taken"
            )
        if bundle.is_delta and bundle.base != newest:
            raise BundleGap(
                f"{bundle.kind} {bundle.number} changes {bundle.base}, and {newest} is here: fetch the full one"
            )
        held = Held(bundle, self._content(bundle))
        self._need_room(bundle)
        self._write(held, data)
        with self._alone:
            self._held[bundle.kind].append(held)
            self._prune(bundle.kind, at)
        return bundle

    def _opened(self, data: bytes) -> Bundle:
        if len(data) > signed.BUNDLE_BYTES_MAX:
            raise BundleTooLarge(
                f"a bundle has at most {signed.BUNDLE_BYTES_MAX} bytes, this one has {len(data)}: not taken"
            )
        try:
            bundle = signed.opened(data, self._trust.key)
        except SignatureWrong as error:
            raise BundleForged(f"{error}: not taken") from None
        except EnvelopeError as error:
            raise BundleMalformed(f"{error}: not taken") from None
        if bundle.city != self._trust.city:
            raise BundleForeign(f"the bundle is another city's ({bundle.city.hex()}): not taken")
        if bundle.audience not in {EVERY, self._trust.audience}:
            raise BundleForeign(
                f"the bundle is for a {bundle.audience}, and this is a {self._trust.audience}: not taken"
            )
        return bundle

    def _content(self, bundle: Bundle) -> Any:
        if bundle.kind is BundleKind.TARIFF:
            return contents.decode_tariff(bundle.body, bundle.number)
        if bundle.kind is BundleKind.LIMITS:
            return contents.decode_limits(bundle.body)
        if bundle.kind is BundleKind.CALENDAR:
            return contents.decode_calendar(bundle.body)
        if bundle.kind is BundleKind.KEYS:
            return contents.decode_keys(bundle.body)
        base = self._held[bundle.kind][-1].content if bundle.is_delta else NOBODY
        return hotlist.apply(base, bundle.body)

    def _need_room(self, bundle: Bundle) -> None:
        since = self._in_force.get(bundle.kind, 0)
        if sum(one.bundle.number > since for one in self._held[bundle.kind]) >= WAITING_MAX:
            raise BundleRefused(
                f"{WAITING_MAX} bundles of {bundle.kind} wait for their dates already: not taken, fetch it later"
            )

    def _path(self, bundle: Bundle, suffix: str) -> Path:
        return self._folder / f"{bundle.kind}-{bundle.number:010}.{suffix}"

    def _write(self, held: Held, data: bytes) -> None:
        if isinstance(held.content, Hotlist):
            write_atomically(self._path(held.bundle, "array"), held.content.to_bytes())
        write_atomically(self._path(held.bundle, "bundle"), data)

    def _prune(self, kind: BundleKind, at: UnixMs) -> None:
        """Drop what can never be in force again: a later number holds from the same date on, or from an earlier one."""
        held, since = self._held[kind], self._in_force.get(kind, 0)
        for place, one in enumerate(held):
            from_ = 0 if one.bundle.number <= since else one.bundle.valid_from
            later = (
                other.bundle.number <= since or other.bundle.valid_from <= max(from_, at)
                for other in held[place + 1 :]
            )
            if any(later):
                self._path(one.bundle, "bundle").unlink(missing_ok=True)
                self._path(one.bundle, "array").unlink(missing_ok=True)
                self._held[kind] = [other for other in self._held[kind] if other is not one]

    def _mark(self, kind: BundleKind, number: int) -> None:
        """Note what is in force; on a disk that takes no file it is so all the same, until a restart finds it again by its date."""
        if number <= self._in_force.get(kind, 0):  # another thread was quicker
            return
        self._in_force[kind] = number
        marks = {name.value: value for name, value in self._in_force.items()}
        try:
            write_atomically(self._folder / _IN_FORCE, cbor2.dumps(marks, canonical=True))
        except OSError as error:
            _log.error("bundle in force not noted", kind=kind.value, number=number, reason=str(error))

    def _read_marks(self) -> dict[BundleKind, int]:
        marks: Any = None
        with contextlib.suppress(OSError, CborMalformed, ValueError):
            marks = cbor.decoded((self._folder / _IN_FORCE).read_bytes())
        if not isinstance(marks, dict):
            return {}
        return {kind: marks[kind.value] for kind in BundleKind if type(marks.get(kind.value)) is int}

    def _read(self, path: Path) -> None:
        try:
            bundle = self._opened(path.read_bytes())
            held = Held(bundle, self._stored_content(bundle))
        except (OSError, BundleRefused) as error:
            _log.warning("a kept bundle is left aside", file=path.name, reason=str(error))
            return
        self._held[bundle.kind].append(held)

    def _stored_content(self, bundle: Bundle) -> Any:
        if bundle.kind is not BundleKind.HOTLIST:
            return self._content(bundle)
        found = Hotlist.from_bytes(self._path(bundle, "array").read_bytes())
        if found.digest() != hotlist.result_digest(bundle.body):
            raise BundleMalformed("the array is not the one that the city signed")
        return found
