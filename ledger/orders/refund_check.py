"""Check what is kept of refunds to wallets against the chain: which payment each gives back, how much, and that no payment gives back more than it was.

The chain's documents say [refund, payment] by position, its rows the amounts; the table of refunds is what `GivenBack` counts on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import DatabaseDamaged
from ledger.history.lines.store import row_at
from ledger.orders import store
from ledger.transfer import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from ledger.journal import Block
    from ledger.orders.store import RefundRow
    from ledger.store import Connection, Database

    Rows = npt.NDArray[np.void]

_SIGN: Final = b'"refunds":[['
"""Stands in each document with refunds and in few others: they alone are read."""


class RefundCheck:
    """Hears of each block that is whole (`ledger.verify`'s `inspect`), then looks at the table."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[int, int]] = {}
        self._last = 0

    def inspect(self, block: Block, rows: Rows, documents: Sequence[bytes]) -> None:
        """Keep what a block says of refunds; raises DatabaseDamaged where one is no refund in its journal."""
        self._last = block.last_position
        for refund, payment in _pairs(documents):
            row = rows[rows["position"] == refund]
            if len(row) != 1 or row[0]["kind"] != Kind.REFUND:
                raise DatabaseDamaged(
                    f"the chain names a refund at position {refund}, and its journal has none there: restore from backup"
                )
            self._said[refund] = (payment, int(row[0]["amount"]))

    def finish(self, database: Database) -> int:
        """How many refunds were checked; raises DatabaseDamaged, naming the first whose row is another than the chain says."""
        with database.transaction() as connection:
            kept = store.all_refunds(connection, self._last)
            for one in kept:
                if self._said.get(one.position) != (one.payment, one.amount):
                    raise DatabaseDamaged(
                        f"refund {one.position} is kept as {one.amount} sen of payment {one.payment}, which the chain does not say: restore from backup"
                    )
            lacking = self._said.keys() - {one.position for one in kept}
            if lacking or len(kept) != len(self._said):
                raise DatabaseDamaged(
                    f"refund {min(lacking, default=0)} of the chain is not kept, or one twice: restore from backup"
                )
            _compare(connection, kept)
        return len(kept)


def _pairs(documents: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    for body in documents:
        if _SIGN in body:
            said: Any = json.loads(body)
            yield from ((refund, payment) for refund, payment in said["refunds"])


def _compare(connection: Connection, kept: Sequence[RefundRow]) -> None:
    """Each payment's refunds together against its row; raises DatabaseDamaged."""
    back: dict[tuple[int, int], int] = {}
    for one in kept:
        name = (one.partition, one.payment)
        back[name] = back.get(name, 0) + one.amount
    for (partition, payment), amount in back.items():
        row = row_at(connection, partition, payment)
        if row is None or amount > row["amount"]:
            raise DatabaseDamaged(
                f"refunds give back {amount} sen of payment {payment} in partition {partition}, which has less: restore from backup"
            )
