"""A tap's receipt that proves itself: the inclusion proof under the first checkpoint that covers it, and the key that checkpoints are signed with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.errors import ProofUnknown
from ledger.proofs.proving import prove_tap

if TYPE_CHECKING:
    from ledger.intake.cards.issued import Card
    from ledger.store import Database

FINGERPRINT_BYTES: Final = 10
"""Bytes of a key's SHA-256 that people compare: on cards, on pages, in what the city publishes."""


def fingerprint(public_key: bytes) -> str:
    """A key as people compare it: five groups of four hexadecimal digits."""
    digits = hashlib.sha256(public_key).hexdigest()[: 2 * FINGERPRINT_BYTES]
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


@dataclass(frozen=True, slots=True)
class Receipts:
    """Makes proofs of a card's taps; `key` is the ledger's public key (raw Ed25519)."""

    database: Database
    key: bytes

    def proof(self, card: Card, tmc: int, *, named: bool) -> bytes | None:
        """The proof's file; None where the tap is not in the books, or its business date is open still."""
        try:
            return prove_tap(self.database, card.partition, card.uid, tmc, named=named).encode()
        except ProofUnknown:
            return None
