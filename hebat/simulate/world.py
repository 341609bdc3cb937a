"""A simulated city while it runs: its machines, its cards, its network, its time."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Self
from unittest import mock

import stamina

from card.virtual import VirtualCard
from hebat.demo import town
from hebat.folder import Folder
from hebat.logs import silenced
from hebat.simulate.banking import Banks
from hebat.simulate.breach import Breach
from hebat.simulate.disk.shim import Shim
from hebat.simulate.disk.volume import Volume
from hebat.simulate.entropy import Entropy, seeded
from hebat.simulate.faults import Fault
from hebat.simulate.field import Truth
from hebat.simulate.foundation import FOUNDED_AT, foundation, posts
from hebat.simulate.haste import hurried
from hebat.simulate.machine import Machine
from hebat.simulate.network import Mishap, Network
from hebat.simulate.plan import ROGUE
from hebat.simulate.server import Server
from hebat.simulate.watch import Watch
from hebat.story_clock import StoryClock
from keys.clock import SystemClock, UnixMs
from ledger import expiry
from ledger.history import indexing
from ledger.wallets import blocked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from hebat.simulate.field import Committed

STARTS_MAX = 5
_SLOW_MS = 60_000
_STRUCK = {
    Mishap.REQUEST_LOST: Fault.REQUEST_LOST,
    Mishap.ANSWER_LOST: Fault.ANSWER_LOST,
    Mishap.DOUBLED: Fault.REQUEST_DOUBLED,
    Mishap.LATE: Fault.REQUEST_LATE,
}


class World:
    """Everything of one run. A context manager: while it is open, this process lives in the simulated city."""

    def __init__(self, seed: int, told: Callable[[str], object] = str) -> None:
        self.seed = seed
        self.told = told
        self.story = StoryClock(FOUNDED_AT)
        self.entropy = Entropy(f"{seed}")
        self.shim = Shim.of_process()
        self.dice = Random(f"{seed}")  # noqa: S311  dice of a simulation
        self.covered: Counter[Fault] = Counter()
        self.trace = hashlib.sha256()
        self.exchanges = 0
        self.taps = 0
        self.banks = Banks()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        made = foundation()
        # Always the same place, so that SQL compiled for its database stays compiled.
        root = made.root.parent / "running"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(made.root, root)
        self._folder = Folder(root, f"sqlite:///{root / 'ledger.db'}")
        self._stack.enter_context(silenced())
        self._stack.enter_context(hurried())
        self._stack.enter_context(seeded(self.entropy))
        self._stack.enter_context(self.shim.installed(self.entropy.draw))
        self._stack.enter_context(mock.patch.object(SystemClock, "now", self._now))
        # Threads that look for something would look by the real clock: the story asks for it instead.
        for place, name in ((expiry, "LOOK_SECONDS"), (blocked, "LOOK_SECONDS"), (indexing, "PAUSE_SECONDS")):
            self._stack.enter_context(mock.patch.object(place, name, 1e6))
        self._stack.callback(stamina.set_testing, False)
        stamina.set_testing(True, attempts=4)
        self.truth = Truth()
        self.cards = [
            replace(card, chip=VirtualCard.load(chip, self.entropy.draw))
            for card, chip in zip(made.cards, made.chips, strict=True)
        ]
        for card in self.cards:
            self.truth.meet(card.chip)
        self._build()
        return self

    def _now(self) -> UnixMs:
        return self.story.now()

    def _build(self) -> None:
        root = self._folder.root
        disk = self._mounted(root)
        self.server = Server(self._folder, town.CONFIGURATION, self.story, self.shim, disk)
        self._stack.callback(self._close)
        merchants = {one.number: one.merchant_class for one in town.PARTICIPANTS.merchants.values()}
        self.watch = Watch(self.server, self.truth, self.cards, merchants)
        self.network = Network(
            self.server.serve,
            self.story.now,
            self._struck,
            self.watch.answers.answered,
            self.watch.answers.twice,
        )
        self.machines = [
            Machine(post, folder, self.story, self.shim, self._mounted(folder), self.network)
            for post in posts()
            for folder in [self._folder.terminal(post.number)]
        ]
        self.watch.books.rogues[self.machines[ROGUE].number] = None
        self.truth.told = self._committed
        self.server.start()
        self.watch.look()

    def _committed(self, uid: int, tmc: int, commit: Committed) -> None:
        at = next(one for one in self.machines if one.number == commit.terminal)
        self.watch.committed(uid, tmc, commit, at.terminal.standing.contact_at)

    def _mounted(self, folder: Path) -> Volume:
        volume = Volume(folder, lambda: self.story.move_to(UnixMs(self.story.now() + _SLOW_MS)))
        self.shim.mount(volume)
        return volume

    def _struck(self, mishap: Mishap) -> None:
        self.covered[_STRUCK[mishap]] += 1

    def _close(self) -> None:
        for machine in self.machines:
            machine.kill(self.dice, power=False)
        self.server.kill(self.dice, power=False)
        self.server.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def note(self, told: str) -> None:
        """Make a line part of the run's digest."""
        self.trace.update(f"{self.story.now()} {told}\n".encode())
        self.told(told)

    @property
    def digest(self) -> str:
        """What the whole run came to: every line of its trace, every row of its journal."""
        return hashlib.sha256(self.trace.digest() + self.watch.books.journal.digest()).hexdigest()

    @property
    def events(self) -> int:
        """Moments at which a fault could have struck: exchanges of cards, messages, operations of disks."""
        disks = self.server.volume.operations + sum(one.volume.operations for one in self.machines)
        return self.exchanges + self.network.messages + disks

    def reap(self, *, power: bool) -> None:
        """Whatever has stopped, or cannot go on, is started again."""
        for machine in self.machines:
            if machine.volume.dead:
                machine.kill(self.dice, power=power)
        if self.server.is_well:
            return
        # A disk that failed is not to be trusted until the machine was off: what the cache holds may never have been written.
        self.server.kill(self.dice, power=power or not self.server.volume.dead)
        self.need_server()

    def need_server(self) -> None:
        """Have the ledger up; raises Breach where it does not start from what its disk holds."""
        for _ in range(STARTS_MAX):
            if self.server.is_well:
                return
            try:
                self.server.start()
                self.watch.answers.restarted()
                self.watch.look()
            except Breach:
                raise
            except Exception as error:
                if not self.server.volume.dead:
                    raise Breach(4, f"the ledger does not start: {type(error).__name__}: {error}") from error
                self.server.kill(self.dice, power=True)
        raise Breach(4, "the ledger does not start")
