"""Variants of terminals: what a ride costs, and what becomes of a card's word."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import terminals.fares.rides
import terminals.fares.transfers
import terminals.upkeep
from keys.clock import UnixMs
from terminals.bundles.fetch import Refreshed
from terminals.bundles.rules import Rules
from terminals.handout import NewestKeys
from terminals.outbox import Outbox
from terminals.tap import TapMachine
from terminals.upload import Link, Uploaded
from tests.simulate.variants import broken, instead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from terminals.outbox_file import RecordState


# Fares


@broken("a transfer is free one second too long")
def _off_by_one() -> Iterator[None]:
    def in_time(rule: Any, window: Any, starts: int, _ends: int) -> bool:
        since = starts - window.started_at
        return since >= 0 and (not rule.seconds or since <= rule.seconds)

    with instead(terminals.fares.transfers, "_in_time", in_time):
        yield


@broken("each transfer opens its window anew")
def _prolonged() -> Iterator[None]:
    was = terminals.fares.transfers.transferred

    def transferred(*arguments: Any, starts: int, ends: int) -> Any:
        steps, window = was(*arguments, starts=starts, ends=ends)
        return steps, replace(window, started_at=starts)

    with instead(terminals.fares.rides, "transferred", transferred):
        yield


@broken("the hotlist is not asked")
def _unblocked() -> Iterator[None]:
    with instead(Rules, "need_admitted", lambda *_: None):
        yield


# What terminals are told


@broken("a terminal never fetches what is newer")
def _deaf() -> Iterator[None]:
    with instead(
        terminals.upkeep, "refresh", lambda *_: Refreshed(heard_at=UnixMs(1 << 50), hotlist_current=True)
    ):
        yield


@broken("a terminal never fetches newer keys")
def _keyless() -> Iterator[None]:
    with instead(NewestKeys, "if_due", lambda *_: False):
        yield


# Terminals


@broken("a torn card counts as paid")
def _torn() -> Iterator[None]:
    with _ended(lambda machine, _open, pending: machine._outbox.confirm(pending, bytes(8))):
        yield


@broken("a torn card counts as not paid")
def _untorn() -> Iterator[None]:
    with _ended(
        lambda machine, open_, pending: machine._outbox.void(pending, open_.seen.tmc, open_.seen.tmv)
    ):
        yield


@contextmanager
def _ended(end: Callable[[TapMachine, Any, Any], object]) -> Iterator[None]:
    """Whatever a tap leaves open is ended, without the card."""

    def transact(self: TapMachine, open_: Any, wish: Any) -> Any:
        try:
            return was(self, open_, wish)
        finally:
            pending = self._outbox.open_intent(open_.uid)
            if pending is not None:
                end(self, open_, pending)

    was = TapMachine._transact
    with instead(TapMachine, "_transact", transact):
        yield


@broken("the card commits before the terminal has written down what it asked")
def _unwritten() -> Iterator[None]:
    was = Outbox.save
    saved: list[Any] = []

    def save(self: Outbox, record: Any, state: RecordState) -> None:
        saved[:] = [(self, record, state)]

    def confirm(self: Outbox, record: Any, tmv: bytes) -> None:
        for owner, kept, state in saved:
            was(owner, kept, state)
        saved.clear()
        confirmed(self, record, tmv)

    confirmed = Outbox.confirm
    with instead(Outbox, "save", save), instead(Outbox, "confirm", confirm):
        yield


@broken("records leave the outbox before the ledger's receipt")
def _hasty() -> Iterator[None]:
    def upload(self: Link, outbox: Outbox) -> Uploaded:
        sent = 0
        while (batch := outbox.batch(self._form)) is not None:
            outbox.settle(batch)
            self._post("/v1/batches", batch.body)
            sent += 1
        return Uploaded(sent)

    with instead(Link, "upload", upload):
        yield


@broken("a batch is signed anew each time it is sent")
def _resigned() -> Iterator[None]:
    was = Outbox.batch

    def batch(self: Outbox, form: Any) -> Any:
        self._db.execute("DELETE FROM batches")
        self._db.execute("UPDATE records SET state = 'ready' WHERE state = 'batched'")
        return was(self, form)

    with instead(Outbox, "batch", batch):
        yield


@broken("a terminal numbers its records anew after a start")
def _renumbered() -> Iterator[None]:
    was = Outbox._number

    def number(self: Outbox, name: str) -> int:
        found = was(self, name)
        return max(0, found - 1) if name == "last sequence" else found

    with instead(Outbox, "_number", number):
        yield


@broken("an open intent is given up without asking its card")
def _unasked() -> Iterator[None]:
    def recover(self: TapMachine, card: Any, *_: Any) -> None:
        pending = self._outbox.open_intent(card.uid)
        if pending is not None:
            self._outbox.void(pending, pending.tmc - 1, pending.seen_tmv)

    with instead(TapMachine, "_recover", recover):
        yield
