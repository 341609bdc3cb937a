"""Signed batches of real taps, made once and sent to many copies of one city; and what its terminals are told."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx2

from card.layout import AID, File, TapKind
from hebat.folder import Folder
from tests.ledger.desk import open_scene

if TYPE_CHECKING:
    from pathlib import Path

TERMINALS: Final = 4
CARDS: Final = 6
TAPS: Final = 3
"""Taps of a batch, each of another card."""
TIMEOUT_SECONDS: Final = 60
HEADERS: Final = {"Content-Type": "application/cose"}


def place(root: Path, url: str = "") -> Folder:
    """A city's folder; its ledger in a database of its own where one is named."""
    return Folder(root, url)


@dataclass(frozen=True)
class Traffic:
    """A city before the first batch, and what each of its terminals sends, in order."""

    template: Path
    bodies: list[list[bytes]]
    taps: int

    def copy(self, root: Path) -> Path:
        """The city again, as it was before the first batch."""
        shutil.copytree(self.template, root)
        return root


def make_traffic(root: Path, batches: int, url: str = "") -> Traffic:
    """Found a city, issue cards, and tap them at terminals that are offline; each terminal makes so many batches."""
    scene = open_scene(place(root / "city", url), fresh=True)
    with scene.city:
        cards = [scene.card() for _ in range(CARDS)]
        desks = [scene.desk(1101 + at) for at in range(TERMINALS)]
    template = root / "template"
    shutil.copytree(root / "city", template)
    bodies: list[list[bytes]] = [[] for _ in desks]
    # Every chip holds value that these books know nothing of: an offline debit may take its purse below zero (law 5).
    for card in cards:
        card.chip.applications[AID].files[File.PURSE].value = 2_000_000
    for batch in range(batches):
        for at, desk in enumerate(desks):
            for tap in range(TAPS):
                desk.tap(cards[(batch + at + tap) % CARDS], TapKind.FARE, 1_000)
            body = desk.body()
            bodies[at].append(body)
            desk.next_batch(body)
    return Traffic(template, bodies, batches * TERMINALS * TAPS)


@dataclass
class Terminal:
    """A terminal on the way through its batches: it goes on behind what it has a receipt for, and asks again for the rest."""

    bodies: list[bytes]
    told: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    stopped: str = ""
    """Why the last run ended before the batches did."""

    def run(self, address: str) -> None:
        """Send what has no receipt yet until the server is gone, or there is nothing more."""
        with httpx2.Client(base_url=address, timeout=TIMEOUT_SECONDS) as client:
            while len(self.told) < len(self.bodies):
                try:
                    answer = client.post("/v1/batches", content=self.bodies[len(self.told)], headers=HEADERS)
                except httpx2.HTTPError as error:
                    self.stopped = repr(error)
                    return
                if answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
                    self.stopped = answer.text
                    return
                if answer.status_code != httpx2.codes.OK:
                    self.refused.append(answer.text)
                    return
                self.told.append(answer.json())

    def ask_again(self, address: str) -> list[dict[str, Any]]:
        """Send all again that has a receipt: what the server says now."""
        with httpx2.Client(base_url=address, timeout=TIMEOUT_SECONDS) as client:
            sent = [
                client.post("/v1/batches", content=body, headers=HEADERS)
                for body in self.bodies[: len(self.told)]
            ]
        return [answer.json() for answer in sent]


@dataclass
class Fleet:
    """All terminals of a city, sending at once."""

    terminals: list[Terminal]
    _threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def of(cls, traffic: Traffic) -> Fleet:
        """A fleet that has sent nothing yet."""
        return cls([Terminal(bodies) for bodies in traffic.bodies])

    def go(self, address: str) -> None:
        """Begin to send."""
        self._threads = [
            threading.Thread(target=one.run, args=(address,), daemon=True) for one in self.terminals
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all have stopped."""
        for thread in self._threads:
            thread.join(2 * TIMEOUT_SECONDS)
            assert not thread.is_alive()
        assert [text for one in self.terminals for text in one.refused] == []

    @property
    def done(self) -> bool:
        """Whether every batch has its receipt."""
        return all(len(one.told) == len(one.bodies) for one in self.terminals)
