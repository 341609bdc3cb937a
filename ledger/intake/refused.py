"""Keeping what was not taken in: a refused batch, byte for byte, with the reason (law 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from card.batch import digest
from ledger.errors import LedgerError
from ledger.intake.quarantine import store as quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import UnixMs
    from ledger.errors import BatchRefused, UnitFailed
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction, Writer

_log = structlog.get_logger("ledger.intake")


def keep(body: bytes, refusal: BatchRefused | UnitFailed, writer: Writer, at: UnixMs) -> None:
    """Have a batch kept with why it was refused; raises nothing, for the refusal is what its sender must hear."""
    _log.warning("batch refused", reason=type(refusal).__name__, detail=str(refusal), size=len(body))
    row = quarantine.RefusedRow(digest(body), type(refusal).__name__, str(refusal), body, at)
    try:
        kept: bool = writer.submit(_Keep(row)).result()
        if not kept:
            _log.error(
                "refused batch not kept", reason="as many are kept as may be: look at them and clear them"
            )
    except LedgerError:
        # A ledger that cannot write says so at the next good batch.
        return


@dataclass(slots=True)
class _Keep:
    """A unit that keeps a refused batch."""

    row: quarantine.RefusedRow
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> bool:
        return quarantine.keep_refused(tx.connection, self.row)
