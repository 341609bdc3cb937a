"""Variants of the ledger: what it says and when, what it takes for true, how it keeps its books."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import ledger.store
from ledger import committing, journal, opening
from ledger.answer import Answer
from ledger.engine import Engine
from ledger.intake import batch_unit, deciding, senders
from ledger.intake.assess import Assessor
from ledger.intake.batch_unit import BatchUnit
from ledger.intake.columnar import columns as columnar
from ledger.intake.columnar import posting as by_columns
from ledger.intake.deciding import Decisions
from ledger.intake.intents import Verdict
from ledger.intake.quarantine import store as quarantine
from ledger.intake.registry import Registry
from ledger.windows import Windows
from ledger.writer import Writer
from tests.simulate.variants import broken, instead

if TYPE_CHECKING:
    from collections.abc import Iterator


# What the ledger says, and when


@broken("an answer before the commit")
def _early() -> Iterator[None]:
    was = Writer._commit

    def commit(self: Writer, group: Any) -> None:
        for waiting, answer in zip(group.taken, group.answers, strict=True):
            if not isinstance(answer, BaseException):
                waiting.answer.give(answer)
                waiting.answer = Answer()  # nobody waits any more for what is said later
        time.sleep(0.05)
        with suppress(Exception):
            was(self, group)

    with instead(Writer, "_commit", commit):
        yield


@broken("a commit that fails is answered as if it had not")
def _failed() -> Iterator[None]:
    was = committing.write

    def write(group: Any, database: Any) -> None:
        with suppress(Exception):
            was(group, database)

    with instead(committing, "write", write):
        yield


@broken("the database does not sync its commits")
def _unsynced() -> Iterator[None]:
    lax = tuple(one.replace("synchronous=FULL", "synchronous=OFF") for one in ledger.store._SQLITE_PRAGMAS)
    with instead(ledger.store, "_SQLITE_PRAGMAS", lax):
        yield


@broken("a known batch is taken for a new one")
def _forgetful() -> Iterator[None]:
    with instead(BatchUnit, "_was_taken", lambda *_: False):
        yield


@broken("a certificate that has ended is still believed")
def _everlasting() -> Iterator[None]:
    with instead(senders, "check_dates", lambda *_: None):
        yield


@broken("sequence numbers are not looked at")
def _unordered() -> Iterator[None]:
    with instead(BatchUnit, "_require_in_order", lambda *_: None):
        yield


@broken("a broken chain is taken at once, and nobody is told")
def _untold() -> Iterator[None]:
    with instead(batch_unit, "PATIENCE_MS", -1), instead(BatchUnit, "_show_broken_chain", lambda *_: None):
        yield


# Evidence


@broken("the Transaction MAC is not checked")
def _unsigned() -> Iterator[None]:
    def signed(_self: object, rows: Any, *_: object) -> Any:
        return np.ones(len(rows), np.bool_)

    with (
        instead(Assessor, "signed", lambda *_: True),
        instead(columnar.Columns, "_signed", signed),
    ):
        yield


@broken("a revoked terminal is heard")
def _unrevoked() -> Iterator[None]:
    with instead(Registry, "certificates", lambda self, number, _counts=None: self.history(number)):
        yield


@broken("what is kept in quarantine is thrown away")
def _dropped() -> Iterator[None]:
    with instead(quarantine, "insert_quarantine", lambda *_: None):
        yield


@broken("an unconfirmed tap is never asked about again")
def _unwitnessed() -> Iterator[None]:
    with (
        instead(Decisions, "_settle_intents", lambda *_: None),
        instead(Decisions, "_was_seen", lambda *_: False),
    ):
        yield


@broken("an unconfirmed tap counts as done")
def _hopeful() -> Iterator[None]:
    with instead(deciding, "verdict", lambda *_: Verdict.HAPPENED):
        yield


@broken("an unconfirmed tap counts as never done")
def _hopeless() -> Iterator[None]:
    with instead(deciding, "verdict", lambda *_: Verdict.NEVER_HAPPENED):
        yield


# Books


@broken("a start forgets what came after the newest snapshot")
def _tailless() -> Iterator[None]:
    def replay(connection: Any, engine: Engine, before: Any) -> None:
        was(connection, engine, before)
        fresh = Engine()
        engine.__dict__.update(fresh.__dict__)

    was = opening._replay
    with instead(opening, "_replay", replay), instead(opening, "_check_end", lambda *_: None):
        yield


@broken("a block forgets the one before it")
def _unchained() -> Iterator[None]:
    was = journal.make_block

    def make_block(before: Any, *rest: Any) -> Any:
        made = was(before, *rest)
        return replace(made, previous=journal.GENESIS)

    with instead(journal, "make_block", make_block):
        yield


@broken("a business date ends an hour late")
def _late() -> Iterator[None]:
    was = Windows.open_at
    with instead(Windows, "open_at", lambda self, at: was(self, at - 3_600_000)):
        yield


@broken("a late tap goes into the window of the day on which it happened")
def _reopened() -> Iterator[None]:
    was = Windows.open_at
    last = instead(Windows, "last_closed", property(lambda self: self._last))

    def open_at(self: Windows, at: Any) -> Any:
        found = was(self, at)
        return found if self._last is None else min(found, self._last)

    with last, instead(Windows, "open_at", open_at):
        yield


@broken("the service day begins at midnight")
def _early_day() -> Iterator[None]:
    with instead(by_columns, "service_days", lambda at: (at * 1000 + 7 * 3_600_000) // 86_400_000):
        yield


@broken("rows that a purse cannot pay are refused, although the card has paid")
def _refused() -> Iterator[None]:
    was = by_columns.transfers

    def transfers(*arguments: Any) -> Any:
        rows, records = was(*arguments)
        keep = np.array([number % 7 != 3 for number in range(len(rows))], np.bool_)
        return rows[keep], records[keep]

    with instead(batch_unit, "transfers", transfers):
        yield
