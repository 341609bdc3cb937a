"""The ledger's own vault: a file vault that also gives the Transaction MAC Values of a whole batch in one call.

It stands apart from `keys.filevault`, which terminals use too: they have neither NumPy nor numba, and no Transaction MAC key (law 11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys import cardmacs
from keys.filevault import FileVault
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from keys.cardmacs import Integers, Octets


class LedgerVault(FileVault):
    """A `FileVault` for servers; a vault of another kind is asked one card at a time (`FileVault.card_key`)."""

    def transaction_macs(
        self, version: int, uids: Octets, tmcs: Integers, data: Octets, starts: Integers, ends: Integers
    ) -> Octets:
        """What chips must have given, 8 bytes each, for inputs of one block or more; see `keys.cardmacs`.

        `uids` (n, 7), `tmcs` the counters that the commits showed, inputs `data[starts:ends]`. Raises KeyMissing, KeyRetired.
        """
        role = Role.TRANSACTION_MAC
        master = self._value(KeyName(role.value, version), Purpose.CARD)
        return cardmacs.transaction_macs(master, role.key_no, version, uids, tmcs, data, starts, ends)
