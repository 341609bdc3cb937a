"""Units made of functions, and one that keeps the writer busy."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from ledger.book import Ledger
    from ledger.transfer import Transfer
    from ledger.writer import PostedRows, Transaction


class Plain:
    """A unit made of functions."""

    def __init__(
        self,
        transfers: Sequence[Transfer] | npt.NDArray[np.void] = (),
        *,
        plan: Callable[[Transaction], Any] = lambda _tx: None,
        settle: Callable[[Transaction], Any] = lambda _tx: None,
        document: bytes = b"",
    ) -> None:
        self.transfers = transfers
        self.document = document
        self._plan = plan
        self._settle = settle

    def plan(self, tx: Transaction) -> Sequence[Transfer] | npt.NDArray[np.void]:
        self._plan(tx)
        return self.transfers

    def settle(self, posted: PostedRows, tx: Transaction) -> Any:
        return self._settle(tx) or list(posted)


class Gate:
    """A unit that keeps the writer busy until it is let go, so that others must wait and meet in one group."""

    def __init__(self, ledger: Ledger) -> None:
        self.entered, self._open = threading.Event(), threading.Event()
        self.answer = ledger.writer.submit(Plain(plan=self._wait))
        assert self.entered.wait(60)

    def _wait(self, _tx: Transaction) -> None:
        self.entered.set()
        assert self._open.wait(60)

    def let_go(self) -> None:
        self._open.set()
