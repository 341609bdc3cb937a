"""How long a card takes: a model of ISO/IEC 14443 type A on the air, and of the chip behind it. Pure.

The air is the standard's: bit rates, characters of nine bits, blocks of part 4 with their chaining, frame delays. The chip is the
table of `card.chip_time`. Times are microseconds, rates kbit/s.

Left out: waiting for the field (polling), a reader's firmware and its USB or SAM between exchanges (7 to 15 ms each in the first
recording below), waiting time extensions, and repeats after errors. The terminal's own work is measured instead, see `card.trace`.

Sources: ISO/IEC 14443-3 (frames and frame delay times of type A), ISO/IEC 14443-4 (activation, blocks). Recordings of the Proxmark3 project, times in carrier
periods: `traces/hf_mfdes_sniff.trace` (a DESFire at a door reader) and `traces/hf_mfp_mad_sl3.trace` (MIFARE Plus with AES, same
maker). NXP, "The use of higher data rates in applications", table 12: 1 kB read from a DESFire at four rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from card.chip_time import CHIP, Figure, Work, work_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from card.trace import Exchange


CARRIER_MHZ: Final = 13.56
"""fc: carrier periods in a microsecond."""
FRAME_DELAY: Final = 1172
"""Carrier periods between two frames at least, in both directions (part 3, frame delay time; 1236 after a last bit of 1)."""
PREAMBLE: Final = 32 * 16
"""Carrier periods of subcarrier before a card's frame at 212 kbit/s and above (ISO/IEC 14443-2: 32 periods of 16)."""
GUARD_AFTER_ATS: Final = 256 * 16 * 2
"""Carrier periods of SFGT at SFGI 1, which a DESFire states in its ATS (ATS 06 75 77 81 02 80 in the recording)."""
TURNAROUND_US: Final = 330
"""A reader's pause between an answer and its next frame: median of the door reader in the recording (297 to 370)."""
CRC_BYTES: Final = 2
_BITS_A_BYTE: Final = 9
_START_AND_END: Final = 2
_ETU_106: Final = 128


class Rate(IntEnum):
    """A bit rate of part 2, kbit/s, the same in both directions."""

    KBIT_106 = 106
    KBIT_212 = 212
    KBIT_424 = 424
    KBIT_848 = 848

    @property
    def etu(self) -> int:
        """Carrier periods a bit: 128 at 106 kbit/s."""
        return _ETU_106 * Rate.KBIT_106 // self


@dataclass(frozen=True, slots=True)
class Link:
    """How reader and card have agreed to speak: rate, largest frame to the card (FSC) and to the reader (FSD) in bytes, CID in each block.

    FSC 64 is DESFire's default; EV2 can be set to 128 (MF3D(H)x2 short data sheet); the standard goes to 256 and beyond.
    """

    rate: Rate = Rate.KBIT_106
    fsc: int = 64
    fsd: int = 256
    cid: bool = False
    turnaround_us: float = TURNAROUND_US

    @property
    def block_overhead(self) -> int:
        """Bytes of a block beside its data: PCB, CRC, and CID where it is used."""
        return 1 + CRC_BYTES + self.cid

    @property
    def pause(self) -> float:
        """Carrier periods from a card's frame to the reader's next."""
        return max(FRAME_DELAY, self.turnaround_us * CARRIER_MHZ)


DEFAULT_LINK: Final = Link()


def frame_us(size: int, rate: Rate = Rate.KBIT_106, *, from_card: bool = False) -> float:
    """Time of one frame of `size` bytes, CRC included: start, nine bits a byte (eight and parity), end.

    A card's frame at 212 kbit/s and above begins with a preamble of subcarrier.
    """
    return _frame(size, rate, from_card=from_card) / CARRIER_MHZ


def _frame(size: int, rate: Rate, *, from_card: bool) -> int:
    preamble = PREAMBLE if from_card and rate != Rate.KBIT_106 else 0
    return (_START_AND_END + _BITS_A_BYTE * size) * rate.etu + preamble


def blocks_of(size: int, frame_max: int, overhead: int) -> list[int]:
    """Sizes of the frames (bytes, overhead included) in which a message of `size` bytes travels; an empty one takes one block.

    Raises ValueError where a frame has no room for data.
    """
    room = frame_max - overhead
    if room < 1:
        raise ValueError(f"a frame of {frame_max} bytes has no room beside {overhead} of overhead")
    full, rest = divmod(size, room)
    return [frame_max] * full + ([rest + overhead] if rest or not full else [])


def air_us(sent: int, received: int | None, link: Link = DEFAULT_LINK) -> float:
    """Air time of one exchange, from the reader's pause before it to the end of the answer; sizes of the APDUs in bytes.

    Chained blocks are acknowledged one by one (R(ACK)). The least frame delay before the answer is in it, the chip's work beyond that is
    not. `received` is None where the card was lost: then the command alone counts.
    """
    periods = _message(sent, link.fsc, link, from_card=False)
    if received is not None:
        periods += FRAME_DELAY + _message(received, link.fsd, link, from_card=True)
    return (periods + link.pause) / CARRIER_MHZ


def _message(size: int, frame_max: int, link: Link, *, from_card: bool) -> float:
    frames = blocks_of(size, frame_max, link.block_overhead)
    acknowledged = _frame(link.block_overhead, link.rate, from_card=not from_card) + FRAME_DELAY + link.pause
    sending = sum(_frame(frame, link.rate, from_card=from_card) for frame in frames)
    return sending + (len(frames) - 1) * acknowledged


_ACTIVATION: Final = ((2, 5), (9, 3), (2, 5), (9, 3), (4, 8))
"""Frames in bytes, CRC included: anticollision and select at two levels (a UID of seven bytes), RATS and an ATS of six."""
_PPS: Final = (5, 3)
_WAKE_UP_BITS: Final = 9
"""A short frame: start, seven bits, end."""


def activation_us(link: Link = DEFAULT_LINK) -> float:
    """Once a tap: WUPA, anticollision, select, RATS, and PPS where the rate is to change; all at 106 kbit/s, one card in the field."""
    steps = [*_ACTIVATION, *([_PPS] if link.rate != Rate.KBIT_106 else [])]
    periods = _WAKE_UP_BITS * _ETU_106 + FRAME_DELAY + _frame(2, Rate.KBIT_106, from_card=True)
    for sent, received in steps:
        periods += _frame(sent, Rate.KBIT_106, from_card=False) + FRAME_DELAY
        periods += _frame(received, Rate.KBIT_106, from_card=True)
    return (periods + len(steps) * link.pause + GUARD_AFTER_ATS) / CARRIER_MHZ


@dataclass(frozen=True, slots=True)
class Cost:
    """Modelled time in milliseconds: of activation, of the air, and of the chip's work beyond the least frame delay."""

    air_ms: float
    chip_ms: float
    activation_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        """All of it."""
        return self.activation_ms + self.air_ms + self.chip_ms


def cost_of(exchange: Exchange, link: Link = DEFAULT_LINK, chip: Mapping[Work, Figure] = CHIP) -> Cost:
    """Modelled time of one exchange; a torn one costs its command."""
    lost = not exchange.answer
    air = air_us(len(exchange.apdu), None if lost else len(exchange.answer), link)
    beyond = chip[work_of(exchange.apdu)].us - FRAME_DELAY / CARRIER_MHZ
    return Cost(air / 1000, 0.0 if lost else max(beyond, 0.0) / 1000)


def modelled_ms(
    exchanges: Iterable[Exchange], link: Link = DEFAULT_LINK, chip: Mapping[Work, Figure] = CHIP
) -> Cost:
    """Modelled time of a whole tap: one activation, and every exchange."""
    costs = [cost_of(exchange, link, chip) for exchange in exchanges]
    air, work = sum(cost.air_ms for cost in costs), sum(cost.chip_ms for cost in costs)
    return Cost(air, work, activation_us(link) / 1000)
