"""A terminal's machine: the real terminal on a simulated disk, with a clock that may be wrong and a line that may be cut."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from hebat.simulate.network import Line
from keys.clock import UnixMs
from terminals.fares import TRANS_SEMARANG_2022
from terminals.opening import device_of, opened

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from hebat.fleet import Post
    from hebat.simulate.disk.shim import Shim
    from hebat.simulate.disk.volume import Volume
    from hebat.simulate.network import Network
    from keys.clock import Clock
    from terminals.terminal import Terminal

ADDRESS = "http://ledger.invalid"


@dataclass(slots=True)
class DriftingClock:
    """The story's time, wrong by so many milliseconds."""

    story: Clock
    drift: int = 0

    def now(self) -> UnixMs:
        """What this machine believes that it is."""
        return UnixMs(self.story.now() + self.drift)


class Machine:
    """One terminal's computer."""

    def __init__(
        self, post: Post, folder: Path, story: Clock, shim: Shim, volume: Volume, network: Network
    ) -> None:
        self.post = post
        self.number = post.number
        self.clock = DriftingClock(story)
        self.line = Line(network, post.number)
        self.volume = volume
        self.folder = folder
        self._shim = shim
        self._terminal: Terminal | None = None

    @property
    def terminal(self) -> Terminal:
        """The program; started where it does not run."""
        if self._terminal is None:
            self.start()
        assert self._terminal is not None  # noqa: S101  it was just started
        return self._terminal

    def sign(self, message: bytes) -> bytes:
        """This terminal's signature, as whoever holds the machine can make it."""
        return device_of(self.folder).identity.sign(message)

    def start(self) -> None:
        """Start the program from what is on its disk."""
        line = client(self.line)
        self._terminal = opened(self.folder, self.clock, ADDRESS, TRANS_SEMARANG_2022, line=line).terminal

    def stop(self) -> None:
        """End it in order."""
        if self._terminal is not None:
            self._terminal.__exit__(None, None, None)
        self._terminal = None

    def kill(self, dice: Random, *, power: bool) -> None:
        """End it at once; with `power`, what was not synced is at the dice's mercy."""
        self.volume.dead = True
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            with suppress(sqlite3.Error):
                terminal.__exit__(None, None, None)
        if power:
            self._shim.power_cut(self.volume, dice)
        else:
            self._shim.need_closed(self.volume)
            self.volume.restart()


def client(line: Line) -> httpx2.Client:
    """An HTTP client over a simulated line."""
    return httpx2.Client(base_url=ADDRESS, transport=line)
