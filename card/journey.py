"""The journey file (file 02): what the fare rules remember of a card, in 32 bytes.

Version 2 packs its fields, least significant bit first, into one 256-bit integer; version 1 (all cards of before) had whole 32-bit integers and
no week. The first byte tells: version 1 has 0 or 1 there, every later version its number in the upper half. A file of a version that
this software does not know is neither read nor written: `known` is False, the rules charge without it, and it is left as it is. The highest
number, 15, is kept for a card that a terminal locked: the fields of version 2, and nobody takes it until it is let go (decision 0048).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, Self

from card.errors import EvidenceError
from keys.clock import Day, UnixMs, service_day
from keys.money import Rupiah

JOURNEY_VERSION: Final = 2
LOCKED_VERSION: Final = 15
"""The number that a locked card's journey file bears: its fields are those of version 2."""
JOURNEY_BYTES: Final = 32
STOP_MAX: Final = 0xFFFF
FARE_MAX: Final = 0xF_FFFF
"""The most rupiah that one fare or one day can count to; it stays there (no fare and no cap of a day is as high)."""
WEEK_MAX: Final = 0x3F_FFFF
"""The same for a week."""
TERMINAL_MASK: Final = 0xFF_FFFF
"""A terminal is remembered by these bits of its number: enough to know it again."""
OUT_SECONDS_MAX: Final = 0xFFFF
TRANSFERS_MAX: Final = 7
GROUPS_MAX: Final = 255
_WINDOW_BIAS: Final = 0x1_0000
_WINDOW_MAX: Final = 0x3_FFFF
"""A window is kept as seconds before the tap-in, plus the bias: it may begin 18 hours after it, or 54 before."""
_NOTHING = Rupiah(0)
_WIDTHS: Final = (1, 3, 4, 32, 16, 16, 18, 20, 8, 20, 22, 24, 16, 16, 20, 20)
"""Bits of each field, in the order of `Journey._fields`: 256 in all."""
_VERSION_1: Final = struct.Struct("<BIIHIIHII3x")


class JourneyState(IntEnum):
    """Whether the card is between a tap-in and its tap-out."""

    OUTSIDE = 0
    INSIDE = 1


@dataclass(frozen=True, slots=True)
class Journey:
    """What the fare rules remember. Times in Unix seconds, 0 where there is none; money in whole rupiah.

    `tap_in_*` is the last tap that began a ride, `tap_out_*` its end, where that was tapped. The transfer window has its start, what was
    paid within it, how many transfers it has seen, and the group of its last leg (its place among the tariff's groups; 0 where nobody noted it). `day_total` belongs to the service day of `tap_in_at`, `week_total` to that day's
    week. `ride_paid` is what the last ride cost, `provisional` what an open one will cost without a tap-out. `locked`: a terminal that knew it as blocked locked it.
    """

    state: JourneyState = JourneyState.OUTSIDE
    tap_in_at: int = 0
    tap_in_stop: int = 0
    tap_in_route: int = 0
    window_started_at: int = 0
    window_paid: Rupiah = _NOTHING
    transfers: int = 0
    group: int = 0
    day_total: Rupiah = _NOTHING
    week_total: Rupiah = _NOTHING
    last_terminal: int = 0
    tap_out_at: int = 0
    tap_out_stop: int = 0
    ride_paid: Rupiah = _NOTHING
    provisional: Rupiah = _NOTHING
    version: int = JOURNEY_VERSION
    raw: bytes = field(default=b"", repr=False)
    locked: bool = False

    @property
    def known(self) -> bool:
        """False where a newer software wrote the file: nothing here holds but `raw`."""
        return self.version <= JOURNEY_VERSION

    @property
    def service_day(self) -> Day:
        """The service day that `day_total` counts for; 0 for a card that was never tapped."""
        return service_day(UnixMs(self.tap_in_at * 1000)) if self.tap_in_at else Day(0)

    @property
    def last_tap_at(self) -> int:
        """When the card was last tapped for a ride."""
        return self.tap_out_at or self.tap_in_at

    def encode(self) -> bytes:
        """The file's 32 bytes, in this software's version. Amounts and offsets that are too high stay at the highest.

        Raises EvidenceError for a file of a newer version.
        """
        if not self.known:
            raise EvidenceError(
                f"the journey file has version {self.version}, this software writes {JOURNEY_VERSION}"
            )
        packed, at = 0, 0
        for value, width in zip(self._fields(), _WIDTHS, strict=True):
            packed |= max(0, min(value, (1 << width) - 1)) << at
            at += width
        return packed.to_bytes(JOURNEY_BYTES, "little")

    def _fields(self) -> tuple[int, ...]:
        window = self.tap_in_at - self.window_started_at + _WINDOW_BIAS
        return (
            self.state, self.transfers, LOCKED_VERSION if self.locked else JOURNEY_VERSION,
            self.tap_in_at, self.tap_in_stop, self.tap_in_route,
            window if self.window_started_at and 0 < window <= _WINDOW_MAX else 0, self.window_paid, self.group,
            self.day_total, self.week_total, self.last_terminal & TERMINAL_MASK,
            self.tap_out_at - self.tap_in_at if self.tap_out_at else 0, self.tap_out_stop, self.ride_paid,
            self.provisional,
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From the file's 32 bytes, of any version; raises EvidenceError for bytes that no version writes."""
        if len(data) != JOURNEY_BYTES:
            raise EvidenceError(f"the journey file has {len(data)} bytes instead of {JOURNEY_BYTES}")
        version = data[0] >> 4
        if version == LOCKED_VERSION:
            return replace(cls._of_fields(_unpacked(int.from_bytes(data, "little"))), locked=True)
        if version > JOURNEY_VERSION:
            return cls(version=version, raw=bytes(data))
        if version == JOURNEY_VERSION:
            return cls._of_fields(_unpacked(int.from_bytes(data, "little")))
        return cls._of_version_1(data)

    @classmethod
    def _of_fields(cls, fields: list[int]) -> Self:
        (
            state,
            transfers,
            _,
            at,
            stop,
            route,
            window,
            paid,
            group,
            day,
            week,
            terminal,
            out,
            out_stop,
            ride,
            due,
        ) = fields
        return cls(
            JourneyState(state), at, stop, route, at - window + _WINDOW_BIAS if window else 0, Rupiah(paid), transfers,
            group, Rupiah(day), Rupiah(week), terminal, at + out if out else 0, out_stop, Rupiah(ride), Rupiah(due),
        )  # fmt: skip

    @classmethod
    def _of_version_1(cls, data: bytes) -> Self:
        """A card that was last tapped before there were weeks: its week is at least its day. A window from the future is none."""
        values = _VERSION_1.unpack(data)
        if data[0] > JourneyState.INSIDE or _VERSION_1.pack(*values) != data:
            raise EvidenceError("the journey file has bytes that no version writes: update this software")
        state, at, stop, route, window, paid, day, total, terminal = values
        counted = Rupiah(min(total, FARE_MAX)) if at and day == service_day(UnixMs(at * 1000)) else _NOTHING
        return cls(
            JourneyState(state), at, stop if stop <= STOP_MAX else 0, route, window if window <= at else 0,
            Rupiah(min(paid, FARE_MAX)), 0, 0, counted, counted, terminal & TERMINAL_MASK,
        )  # fmt: skip


def _unpacked(packed: int) -> list[int]:
    fields = []
    for width in _WIDTHS:
        fields.append(packed & (1 << width) - 1)
        packed >>= width
    return fields
