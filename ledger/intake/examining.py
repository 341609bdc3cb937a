"""Examining a batch before the writer's turn: its records proven by columns and one by one, and what the books know of its cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from card.batch import BatchFrame, digest
from ledger.bundles.blocks import BlockedThen
from ledger.intake.columnar.columns import Columns
from ledger.intake.columnar.fields import UID
from ledger.intake.columnar.posting import subsidies
from ledger.intake.columnar.store import highest_counters
from ledger.intake.examined import Examined, assess_rest
from ledger.watch.changes import Remembered
from ledger.watch.store import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from keys.vault import Vault
    from ledger.intake.assess import Assessor
    from ledger.intake.bounds import Sender
    from ledger.intake.memory import Memory
    from ledger.intake.posting import Tariffs
    from ledger.intake.registry import Registry
    from ledger.store import Database

    Integers = npt.NDArray[np.int64]


class Examining:
    """What is asked about each batch; reads only."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        vault: Vault,
        tariffs: Tariffs,
        assessor: Assessor,
        memory: Memory,
    ) -> None:
        self._database = database
        self._registry = registry
        self._vault = vault
        self._tariffs = tariffs
        self._assessor = assessor
        self._memory = memory
        self._blocked = Remembered(BLOCKS, self._read_blocks)

    def examined(self, body: bytes, sender: Sender, frame: BatchFrame, counts: Mapping[str, int]) -> Examined:
        """Everything that can be found out about a batch before the writer's turn; safe in several threads at once."""
        certificate = sender.certificate
        columns = Columns(frame.raws, frame.first_sequence).prove(
            certificate, self._registry.columns, self._vault
        )
        assessed, occurred_at, uids = assess_rest(columns, self._assessor, certificate)
        unread = self._memory.counters.unread(columns.places[columns.plain])
        return Examined(
            body, digest(body), frame, sender, columns, assessed, occurred_at, uids,
            subsidies(columns, self._tariffs), unread, self._highest(columns, unread), self._blocked.as_of(counts),
        )  # fmt: skip

    def _highest(self, columns: Columns, unread: Integers) -> Integers:
        """The highest counters of the cards at some places, from the table of taps."""
        if not len(unread):
            return unread
        uids = dict(zip(columns.places.tolist(), columns.at[UID].tolist(), strict=True))
        partitions = self._registry.columns.columns.partition[unread]
        cards = list(zip(partitions.tolist(), (uids[place] for place in unread.tolist()), strict=True))
        with self._database.transaction() as connection:
            found = highest_counters(connection, cards)
        return np.array([found[uid] for _, uid in cards], np.int64)

    def _read_blocks(self) -> BlockedThen:
        with self._database.transaction() as connection:
            return BlockedThen(connection)
