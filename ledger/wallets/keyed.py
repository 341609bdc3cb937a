"""A unit under a caller's Idempotency-Key: done once, its answer kept with it, and given again for a week (`ledger.orders` keeps the same table)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from keys.clock import UnixMs
from ledger.errors import KeyReused, WalletRefused
from ledger.orders import store
from ledger.orders.tables import order_answers
from ledger.orders.unit import KEPT_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from ledger.orders.order import Caller
    from ledger.transaction import PostedRows, Transaction
    from ledger.transfer import Transfer
    from ledger.writer import Unit

    Rows = npt.NDArray[np.void]

CREATED: Final = 201


class Keyed:
    """Implements `ledger.writer.Unit`: another unit, unless its caller's key was answered before. Answers the body; what the unit raises is kept by nobody.

    `said` makes the answer's members from what the unit came to, or what refuses it.
    """

    def __init__(
        self, unit: Unit, caller: Caller, said: Callable[[Any], dict[str, Any] | WalletRefused]
    ) -> None:
        self._unit = unit
        self._caller = caller
        self._said = said
        self._kept: store.AnswerRow | None = None

    @property
    def document(self) -> bytes:
        """What the journal keeps of it."""
        return b"" if self._kept else self._unit.document

    def plan(self, tx: Transaction) -> Sequence[Transfer] | Rows:
        """The unit's own transfers, or none where the key is known; raises KeyReused where it stands for another request."""
        name, since = self._caller.name, UnixMs(tx.received_at - KEPT_MS)
        kept = store.find_answers(tx.reading, [name]).get(name)
        if kept is not None and kept.received_at < since:
            store.forget_these(tx.connection, [name])
            kept = None
        if kept is None:
            return self._unit.plan(tx)
        if kept.fingerprint != self._caller.fingerprint:
            raise KeyReused(f"the key {kept.key} stands for another request: take a new one for new work")
        self._kept = kept
        return ()

    def settle(self, posted: PostedRows, tx: Transaction) -> bytes | WalletRefused:
        """The answer, kept with what it says; a refusal is kept by nobody, for it moved nothing."""
        if self._kept is not None:
            return self._kept.body
        told = self._said(self._unit.settle(posted, tx))
        if isinstance(told, WalletRefused):
            return told
        body = json.dumps(told, separators=(",", ":")).encode()
        caller = self._caller
        row = store.AnswerRow(*caller.name, caller.fingerprint, tx.received_at, CREATED, body)
        tx.add(order_answers, store.columns_of([row]))
        return body
