"""Units of bare transfers, with nothing to be written beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from ledger.transfer import Transfer
    from ledger.writer import Posted, PostedRows, Transaction

    Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class BareTransfers:
    """A unit of bare transfers."""

    transfers: Sequence[Transfer]
    document: bytes = b""

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        """All of them."""
        return self.transfers

    def settle(self, posted: PostedRows, _tx: Transaction) -> list[Posted]:
        """What became of each."""
        return list(posted)


@dataclass(frozen=True, slots=True)
class BareColumns:
    """A unit of bare transfers as an array."""

    rows: Rows
    document: bytes = b""
    blind: bool = True

    def plan(self, _tx: Transaction) -> Rows:
        """All of them."""
        return self.rows

    def settle(self, posted: PostedRows, _tx: Transaction) -> PostedRows:
        """What became of them, as columns."""
        return posted
