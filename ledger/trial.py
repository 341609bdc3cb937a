"""The trial balance: sums by kind of account, in which debits and credits must be equal (law 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.money import Sen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ledger.chart import Code

    Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class TrialLine:
    """All accounts of one kind: sums of posted debits and credits, in sen, and of what is held."""

    code: Code
    accounts: int
    debits: Sen
    credits: Sen
    pending: Sen


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every kind of account; debits and credits must be equal (law 7)."""

    lines: tuple[TrialLine, ...]

    @property
    def debits(self) -> Sen:
        """Sum of all posted debits."""
        return Sen(sum(line.debits for line in self.lines))

    @property
    def credits(self) -> Sen:
        """Sum of all posted credits."""
        return Sen(sum(line.credits for line in self.lines))
