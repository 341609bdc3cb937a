"""An account's balance: four sums, and which side of them it is held on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.money import Sen
from ledger.chart import DEBIT_NORMAL, AccountId, split

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Balance:
    """The four sums of an account, in sen."""

    debits_posted: Sen = Sen(0)
    credits_posted: Sen = Sen(0)
    debits_pending: Sen = Sen(0)
    credits_pending: Sen = Sen(0)

    def net(self, account: AccountId) -> Sen:
        """What the account holds by its normal side: debits less credits for an asset, the reverse otherwise."""
        net = self.debits_posted - self.credits_posted
        return Sen(net if split(account).code in DEBIT_NORMAL else -net)


NOTHING: Final = Balance()


def by_account(numbers: Integers, sums: Integers) -> dict[AccountId, Balance]:
    """Of columns (account numbers; four sums each), the accounts that something has moved, in order of number."""
    moved = np.flatnonzero(sums.any(axis=1))
    order = moved[np.argsort(numbers[moved])]
    return {
        AccountId(number): Balance(*map(Sen, four))
        for number, four in zip(numbers[order].tolist(), sums[order].tolist(), strict=True)
    }
