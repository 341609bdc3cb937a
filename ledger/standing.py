"""Where the ledger stands: its balances, its windows and its newest blocks, as the groups that are durable move them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import Day
from ledger import group as limits
from ledger.windows import CloseWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import UnixMs
    from ledger.group import Group
    from ledger.journal import Block
    from ledger.recovery import State


class Standing:
    """What this process knows of its journal. Groups are shown one after the other; any thread may look."""

    def __init__(self, state: State) -> None:
        self.engine = state.engine
        self.windows = state.windows
        self.last_block = state.last
        self.prepared = state.last
        """The newest block that is chained, committed or not yet."""
        self.recent: dict[int, Block] = {}
        """The newest committed blocks, by number modulo `ledger.group.GROUP_MAX`."""
        self.undone: list[Callable[[], None]] = []
        """Told, before anything else is planned, that what units remember of others may not be in the journal."""
        self.committed: Callable[[int], None] = lambda _position: None
        """Told of the last position of each commit, by the thread that commits."""

    def open_at(self, at: UnixMs) -> Day:
        """The business date of what is received at a moment: by the cut-off, never a closed one, nor one before the newest block's."""
        day, newest = self.windows.open_at(at), self.prepared
        return day if newest is None else Day(max(day, newest.business_date))

    def show(self, group: Group) -> None:
        """Readers, and who asks for the last block, see a group that is durable."""
        if group.block is not None:
            self.last_block = self.recent[group.block.block % limits.GROUP_MAX] = group.block
        if group.sealed is not None:
            self.engine.publish(group.sealed)
            self.committed(group.sealed.position)
        group.durable = True
        last = group.taken[-1].unit if group.taken else None
        if isinstance(last, CloseWindow) and group.bodies:
            self.windows.closed(last.day)

    def begin_anew(self, state: State) -> None:
        """Take the journal's own state, and have everybody forget what is not in it."""
        self.engine, self.windows, self.last_block = state.engine, state.windows, state.last
        self.prepared = state.last
        for forget in self.undone:
            forget()
