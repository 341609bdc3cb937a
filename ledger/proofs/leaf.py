"""A leaf of the tree: what the books hold of one card transaction, or of one group of other transfers, as 139 bytes.

Two random salts stand in each leaf's way of being guessed: a hash in another leaf's audit path tells nothing, and a leaf without
its card's opening does not tell whose card it was. Pure; the format is in docs/proofs.md, byte by byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from ledger.errors import ProofInvalid
from ledger.proofs.merkle import HASH_BYTES, leaf_hash

VERSION: Final = 1
SALT_BYTES: Final = 16
UID_BYTES: Final = 7
LEAF: Final = struct.Struct(">BBB16sIQI32sqqQQQ32s")
_OPENING: Final = struct.Struct(">7sQI")
_CARD_DOMAIN: Final = b"ksh-card-1"
NO_CARD: Final = bytes(HASH_BYTES)


class What(IntEnum):
    """What a leaf stands for."""

    TAP = 1
    TRANSFERS = 2


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf. Amounts in sen, times in Unix milliseconds, days since 1970-01-01.

    A tap: `kind` is the card layout's (1 fare, 2 sale, 3 load, 4 refund, 5 tap-in, 6 tap-out), `amount` what the card's purse
    changed by (negative where the card paid), `card` the commitment to whose it is. Other transfers: `kind`, `balance_after`,
    `terminal`, `sequence` are 0, `amount` is their sum, `occurred_at` the first one's, `card` zeros.
    `position` is that of the first journal row (0: no money moved), `rows` how many there are, `digest` SHA-256 of their bytes.
    """

    what: What
    kind: int
    salt: bytes
    business_date: int
    position: int
    rows: int
    digest: bytes
    amount: int
    balance_after: int
    occurred_at: int
    terminal: int
    sequence: int
    card: bytes

    def encode(self) -> bytes:
        """The leaf's bytes; raises ProofInvalid where a value is out of range."""
        if len(self.salt) != SALT_BYTES or len(self.digest) != HASH_BYTES or len(self.card) != HASH_BYTES:
            raise ProofInvalid("the leaf has a salt or a digest of the wrong length")
        try:
            return LEAF.pack(
                VERSION, self.what, self.kind, self.salt, self.business_date, self.position, self.rows, self.digest,
                self.amount, self.balance_after, self.occurred_at, self.terminal, self.sequence, self.card,
            )  # fmt: skip
        except struct.error as error:
            raise ProofInvalid(f"the leaf holds a value that is out of range: {error}") from None

    def hash(self) -> bytes:
        """The leaf's hash in the tree."""
        return leaf_hash(self.encode())


def decode(data: bytes) -> Leaf:
    """A leaf from its bytes; raises ProofInvalid."""
    if len(data) != LEAF.size or data[0] != VERSION or data[1] not in set(What):
        raise ProofInvalid("the bytes are no leaf of this format: update this software")
    _, what, *rest = LEAF.unpack(data)
    return Leaf(What(what), *rest)


@dataclass(frozen=True, slots=True)
class Opening:
    """Whose transaction a leaf is: the card's UID (7 bytes), the account of its purse, its counter, and the salt over these.

    `number` is the card number without its check digit.
    """

    salt: bytes
    uid: bytes
    number: int
    tmc: int

    def commitment(self) -> bytes:
        """What stands in the leaf; raises ProofInvalid where a value is out of range."""
        if len(self.salt) != SALT_BYTES or len(self.uid) != UID_BYTES:
            raise ProofInvalid("the card's opening has a salt or a UID of the wrong length")
        try:
            return commit(self.salt, _OPENING.pack(self.uid, self.number, self.tmc))
        except struct.error as error:
            raise ProofInvalid(f"the card's opening holds a value that is out of range: {error}") from None


def commit(salt: bytes, opened: bytes) -> bytes:
    """A card's commitment from the salt and the 19 bytes of UID, number and counter (big-endian)."""
    return sha256(_CARD_DOMAIN + salt + opened).digest()
