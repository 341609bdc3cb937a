"""The taps of the books in columns, for a check of all of them at once: 41 bytes a tap, however many there are."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ledger.intake import store

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from ledger.store import Connection

    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

FINGERPRINT_BYTES: Final = 16
NOWHERE: Final = -1
"""The place of a transaction that is not in the books."""
_COUNTER_BITS: Final = 32
_A_TAP: Final = np.dtype(
    [("uid", "<i8"), ("tmc", "<i8"), ("amount", "<i8"), ("told", f"S{FINGERPRINT_BYTES}")]
)


def fingerprint(identity: bytes, kind: int, amount: int, balance_after: int) -> bytes:
    """What a tap's row says of the card's transaction, amounts in sen, as 16 bytes that end in no zero."""
    told = b"%b %d %d %d" % (identity, kind, amount, balance_after)
    # numpy drops zeros at the end of bytes: the last one is never zero.
    return blake2b(told, digest_size=FINGERPRINT_BYTES - 1).digest() + b"."


class Booked:
    """Every tap, by the place that (UID, TMC) has among all: what it says, whether a card's signature proves it, what the journal moved for it."""

    def __init__(self, connection: Connection) -> None:
        taps = np.fromiter(
            (
                (tap.uid, tap.tmc, tap.amount, fingerprint(tap.identity, tap.kind, tap.amount, tap.balance_after))
                for tap in store.all_taps(connection)
            ),
            _A_TAP,
        )  # fmt: skip
        self._uids = np.unique(taps["uid"])
        keys = self._keys(taps["uid"], taps["tmc"])
        order = np.argsort(keys)
        self._sorted = keys[order]
        self._told, self._amount = taps["told"][order], taps["amount"][order]
        self._proven: Flags = np.zeros(len(taps), np.bool_)
        self._moved: Integers = np.zeros(len(taps), np.int64)

    def __len__(self) -> int:
        return len(self._sorted)

    def _keys(self, uids: Integers, tmcs: Integers) -> Integers:
        """Cards in their order above, counters (32 bits on the chip) below."""
        keys: Integers = (np.searchsorted(self._uids, uids) << _COUNTER_BITS) | tmcs
        return keys

    def places(self, uids: Any, tmcs: Any) -> Integers:
        """The places of transactions, NOWHERE for those that are not there."""
        uids, tmcs = np.asarray(uids, np.int64), np.asarray(tmcs, np.int64)
        if not len(self):
            return np.full(len(uids), NOWHERE)
        at = np.minimum(np.searchsorted(self._sorted, self._keys(uids, tmcs)), len(self) - 1)
        cards = self._uids[self._sorted[at] >> _COUNTER_BITS]
        there = (cards == uids) & (self._sorted[at] & ((1 << _COUNTER_BITS) - 1) == tmcs)
        return np.where(there, at, NOWHERE)

    def place(self, uid: int, tmc: int) -> int:
        """The place of one transaction."""
        return int(self.places([uid], [tmc])[0])

    def says(self, place: int, told: bytes) -> bool:
        """Whether a tap's row says what its card signed."""
        return bool(self._told[place] == told)

    def prove(self, place: int) -> None:
        """A card's signature was found for this tap."""
        self._proven[place] = True

    def move(self, places: Integers, gained: Iterable[int]) -> None:
        """The journal moved so many sen, negative out of the purse, for each of these taps."""
        np.add.at(self._moved, places, np.asarray(gained, np.int64))

    def unproven(self) -> tuple[int, int] | None:
        """The first tap (UID, TMC) that no signature proves."""
        return self._first(~self._proven)

    def unmoved(self) -> tuple[int, int] | None:
        """The first tap (UID, TMC) whose transfers are not what it says."""
        return self._first(self._moved != self._amount)

    def _first(self, wanted: Flags) -> tuple[int, int] | None:
        if not wanted.any():
            return None
        key = int(self._sorted[np.argmax(wanted)])
        return int(self._uids[key >> _COUNTER_BITS]), key & ((1 << _COUNTER_BITS) - 1)
