"""The card field: a card in front of a reader, watched from outside. What its chip counts and holds is the truth that everything else is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.layout import AID, File, TapKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual import VirtualCard
    from keys.clock import UnixMs


class MachineStopped(BaseException):
    """The machine that was working has stopped: nothing of its program runs on."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit of a chip, as seen in its silicon: what its newest record says that it was, by how much its value changed and what it is now (rupiah), and what the terminal's clock said."""

    kind: TapKind
    delta: int
    value: int
    at: UnixMs
    terminal: int


class Truth:
    """Every commit of every chip: by UID and counter."""

    def __init__(self) -> None:
        self.commits: dict[tuple[int, int], Committed] = {}
        self.told: Callable[[int, int, Committed], object] = lambda *_: None
        """Hears of each commit: UID, counter, what it was."""
        self._last: dict[int, tuple[int, int]] = {}

    def meet(self, chip: VirtualCard) -> None:
        """Begin with what a chip holds now."""
        self._last[id(chip)] = standing(chip)

    def look(self, chip: VirtualCard, at: UnixMs, terminal: int) -> None:
        """Take note of a commit since the last look; a chip makes at most one an exchange."""
        tmc, value = standing(chip)
        before_tmc, before = self._last[id(chip)]
        if tmc != before_tmc:
            uid = int.from_bytes(chip.uid, "big")
            self._last[id(chip)] = (tmc, value)
            self.commits[uid, tmc] = made = Committed(newest(chip), value - before, value, at, terminal)
            self.told(uid, tmc, made)


def newest(chip: VirtualCard) -> TapKind:
    """What the newest record of a chip's log says that happened."""
    return TapKind(chip.applications[AID].files[File.LOG].records[-1][0])


def standing(chip: VirtualCard) -> tuple[int, int]:
    """A chip's transaction counter, and the rupiah that it holds."""
    application = chip.applications[AID]
    mac = application.tmac
    return (0 if mac is None else mac.tmc), application.files[File.PURSE].value


class Field:
    """A card in a terminal's field (`card.transport.Transport`); the terminal stops at the n-th exchange (0: never)."""

    def __init__(
        self, chip: VirtualCard, truth: Truth, clock: Callable[[], UnixMs], terminal: int, stops_at: int = 0
    ) -> None:
        self._chip = chip
        self._truth = truth
        self._clock = clock
        self._terminal = terminal
        self._stops_at = stops_at
        self.exchanges = 0

    @property
    def uid(self) -> bytes:
        """What anticollision gave."""
        return self._chip.uid

    def transmit(self, apdu: bytes) -> bytes:
        """One exchange; raises CardLost where the card is torn away, MachineStopped where the terminal stops before it."""
        self.exchanges += 1
        if self.exchanges == self._stops_at:
            raise MachineStopped
        try:
            return self._chip.transmit(apdu)
        finally:
            self._truth.look(self._chip, self._clock(), self._terminal)
