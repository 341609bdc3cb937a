"""One wait for a card: which readers are looked at, how long, and which card is opened.

What it says to readers is behind a port, so that nothing here knows PC/SC's calls: `card.pcsc` does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from card.errors import CardAbsent, ReaderBusy, ReaderMissing
from card.readers import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.readers import Slot

Card = TypeVar("Card")

POLL_S: Final = 0.25
"""How often readers are counted while cards are waited for; cards themselves are told of at once."""
BUSY_S: Final = 2.0
"""How long another program may hold every card before that is an error."""
_RETRY_S: Final = 0.05


class Readers(Protocol):
    """The readers of a machine, as one connection to their service knows them."""

    def readers(self) -> list[str]:
        """Names of the readers, perhaps none."""

    def slots(self, known: dict[str, int], timeout_s: float) -> list[Slot]:
        """What the readers are like, as soon as that differs from `known` or the time is over; empty where one of them went."""


class Wait(Generic[Card]):
    """One wait for a card in a reader (None: in any); no `timeout_s` is for ever, 0 looks once.

    `opened` gives the card in a reader, or None where it went again or another program was quicker. `on_wait` is called once, where no
    card is there yet.
    """

    def __init__(
        self,
        field: Readers,
        opened: Callable[[Slot], Card | None],
        reader: str | None,
        timeout_s: float | None,
        on_wait: Callable[[], object] | None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._field = field
        self._opened = opened
        self._reader = reader
        self._timeout_s = timeout_s
        self._on_wait = on_wait
        self._ticks = ticks
        self._since = self._free_at = ticks()

    def card(self) -> Card:
        """The card, as soon as there is one; raises CardAbsent (time over), ReaderBusy, ReaderMissing, and what `opened` raises."""
        slots = self._look({}, 0)
        while True:
            for slot in slots:
                card = self._opened(slot) if slot.present and not slot.busy else None
                if card is not None:
                    return card
            self._may_go_on(slots)
            slots = self._look({slot.reader: slot.state for slot in slots}, self._pause_s(slots))

    def _look(self, known: dict[str, int], timeout_s: float) -> list[Slot]:
        names = [name for name in self._field.readers() if self._reader in {None, name}]
        if not names:
            named = f" of the name {self._reader!r}" if self._reader else ""
            raise ReaderMissing(f"no reader{named} is connected: plug one in, or see what pcsc_scan shows")
        return self._field.slots({name: known.get(name, State.UNAWARE) for name in names}, timeout_s)

    def _may_go_on(self, slots: list[Slot]) -> None:
        now = self._ticks()
        if not slots or not all(slot.busy for slot in slots):
            self._free_at = now
        elif now - self._free_at >= (BUSY_S if self._timeout_s is None else min(BUSY_S, self._timeout_s)):
            names = ", ".join(slot.reader for slot in slots)
            raise ReaderBusy(f"another program has {names}: close it")
        if self._timeout_s is not None and now - self._since >= self._timeout_s:
            raise CardAbsent(f"no card came within {self._timeout_s:g} s: hold one to the reader")
        told = self._on_wait
        if told is not None and not any(slot.present for slot in slots):
            self._on_wait = None
            told()

    def _pause_s(self, slots: list[Slot]) -> float:
        """A card that is there and does not open (busy, or just pulled) is tried again soon: PC/SC does not tell of every change of those."""
        pause = _RETRY_S if any(slot.present for slot in slots) else POLL_S
        return pause if self._timeout_s is None else min(pause, self._timeout_s)
