"""Leaves from the journal, by columns: a leaf a card transaction, a leaf a group of linked transfers, in the order of the journal.

Taps that moved no money have no place in the journal; they follow at the end of their business date, by partition, UID and counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from ledger.chart import Code
from ledger.errors import DatabaseDamaged
from ledger.proofs.leaf import LEAF, NO_CARD, SALT_BYTES, VERSION, Leaf, Opening, What, commit, decode
from ledger.transfer import Flag

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[np.void]
    Integers = npt.NDArray[np.int64]

_PACKED: Final = np.dtype(
    [
        ("version", "u1"),
        ("what", "u1"),
        ("kind", "u1"),
        ("salt", "V16"),
        ("business_date", ">u4"),
        ("position", ">u8"),
        ("rows", ">u4"),
        ("digest", "V32"),
        ("amount", ">i8"),
        ("balance_after", ">i8"),
        ("occurred_at", ">u8"),
        ("terminal", ">u8"),
        ("sequence", ">u8"),
        ("card", "V32"),
    ]
)
_OPENED: Final = np.dtype([("uid", "u1", 7), ("number", ">u8"), ("tmc", ">u4")])
_SALTS: Final = np.dtype([("leaf", "V16"), ("card", "V16")])
_NUMBER_MASK: Final = (1 << 50) - 1
_CODE_SHIFT: Final = 56
TAP: Final = np.dtype(
    [
        ("position", "<i8"),
        ("partition", "<i8"),
        ("uid", "<i8"),
        ("tmc", "<i8"),
        ("kind", "<i8"),
        ("amount", "<i8"),
        ("balance_after", "<i8"),
        ("occurred_at", "<i8"),
        ("terminal", "<i8"),
        ("sequence", "<i8"),
        ("business_date", "<i8"),
        ("card_number", "<i8"),
    ]
)
"""A card transaction as the books hold it; `card_number` only where it moved no money (else 0: the journal row has the purse)."""


class Salts:
    """The salts of a business date's leaves: AES-256 of a leaf's index under the date's secret, two blocks a leaf."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = Cipher(AES(secret), ECB())  # noqa: S305  a keyed function of distinct counters, not a message

    def take(self, first: int, count: int) -> Rows:
        """Salts (_SALTS) of leaves by index."""
        blocks = np.zeros((2 * count, 2), ">u8")
        blocks[:, 1] = np.arange(2 * first, 2 * (first + count))
        return np.frombuffer(self._cipher.encryptor().update(blocks.tobytes()), _SALTS)


@dataclass(frozen=True, slots=True)
class Leaves:
    """Encoded leaves, one after another, and the journal position that each begins at (0: none)."""

    encoded: bytes
    positions: Integers

    def hashes(self) -> list[bytes]:
        """The leaves' hashes."""
        size, encoded = LEAF.size, self.encoded
        return [sha256(b"\x00" + encoded[at : at + size]).digest() for at in range(0, len(encoded), size)]

    def one(self, at: int) -> Leaf:
        """A leaf, taken apart."""
        return decode(self.encoded[at * LEAF.size : (at + 1) * LEAF.size])


def whole_groups(rows: Rows) -> int:
    """How many of these rows belong to groups that end among them."""
    ends = np.flatnonzero(rows["flags"] & Flag.LINKED == 0)
    return int(ends[-1]) + 1 if len(ends) else 0


def starts_of(rows: Rows) -> Integers:
    """Where groups begin among rows that begin with one."""
    first = np.ones(len(rows), bool)
    first[1:] = rows["flags"][:-1] & Flag.LINKED == 0
    return np.flatnonzero(first)


def of_groups(rows: Rows, taps: Rows, first_index: int, salts: Salts) -> Leaves:
    """The leaves of whole groups of journal rows; `taps` (TAP, by position) are the card transactions among them.

    Raises DatabaseDamaged where a tap stands at no group's beginning.
    """
    starts = starts_of(rows)
    heads, ends = rows[starts], np.append(starts[1:], len(rows))
    places = np.searchsorted(heads["position"], taps["position"])
    if len(taps) and (places[-1] >= len(heads) or np.any(heads["position"][places] != taps["position"])):
        raise DatabaseDamaged("a tap does not begin a group of transfers: restore the database from backup")
    salt = salts.take(first_index, len(heads))
    leaves = np.zeros(len(heads), _PACKED)
    leaves["version"], leaves["what"], leaves["salt"] = VERSION, What.TRANSFERS, salt["leaf"]
    leaves["rows"] = ends - starts
    for name in ("business_date", "position", "occurred_at"):
        leaves[name] = heads[name]
    leaves["digest"] = _digests(rows, starts, ends)
    leaves["amount"] = np.add.reduceat(rows["amount"], starts) if len(starts) else 0
    leaves["card"] = np.void(NO_CARD)
    _name_taps(leaves, places, taps, _purses(heads[places]), salt["card"][places])
    return Leaves(leaves.tobytes(), heads["position"])


def of_free(taps: Rows, first_index: int, salts: Salts) -> Leaves:
    """The leaves of card transactions (TAP) that moved no money."""
    salt = salts.take(first_index, len(taps))
    leaves = np.zeros(len(taps), _PACKED)
    leaves["version"], leaves["salt"] = VERSION, salt["leaf"]
    leaves["digest"] = np.void(sha256(b"").digest())
    for name in ("business_date", "occurred_at"):
        leaves[name] = taps[name]
    _name_taps(leaves, np.arange(len(taps)), taps, taps["card_number"] // 10, salt["card"])
    return Leaves(leaves.tobytes(), np.zeros(len(taps), np.int64))


def _digests(rows: Rows, starts: Integers, ends: Integers) -> Rows:
    width, raw = rows.dtype.itemsize, rows.tobytes()
    spans = zip((starts * width).tolist(), (ends * width).tolist(), strict=True)
    return np.frombuffer(b"".join([sha256(raw[a:b]).digest() for a, b in spans]), "V32")


def _purses(heads: Rows) -> Integers:
    """The purse of each card transaction, as the number that its account has."""
    debit, credit = heads["debit"], heads["credit"]
    side = np.where(debit >> _CODE_SHIFT == Code.PURSE, debit, credit)
    if np.any(side >> _CODE_SHIFT != Code.PURSE):
        raise DatabaseDamaged("a tap moves the money of no purse: restore the database from backup")
    numbers: Integers = side & _NUMBER_MASK
    return numbers


def _name_taps(leaves: Rows, places: Integers, taps: Rows, numbers: Integers, salts: Rows) -> None:
    leaves["what"][places] = What.TAP
    for name in ("kind", "amount", "balance_after", "terminal", "sequence"):
        leaves[name][places] = taps[name]
    opened = opened_bytes(taps, numbers)
    width, salt = _OPENED.itemsize, salts.tobytes()
    cards = [
        commit(salt[at * SALT_BYTES : (at + 1) * SALT_BYTES], opened[at * width : (at + 1) * width])
        for at in range(len(taps))
    ]
    leaves["card"][places] = np.frombuffer(b"".join(cards), "V32")


def opened_bytes(taps: Rows, numbers: Integers) -> bytes:
    """What the cards' commitments cover, 19 bytes each (see `ledger.proofs.leaf.Opening`)."""
    opened = np.zeros(len(taps), _OPENED)
    wide = taps["uid"].astype(">u8").view("u1").reshape(-1, 8)
    opened["uid"], opened["number"], opened["tmc"] = wide[:, 1:], numbers, taps["tmc"]
    return opened.tobytes()


def opening_of(tap: np.void, number: int, salts: Salts, index: int) -> Opening:
    """What opens a tap's commitment."""
    salt = salts.take(index, 1)["card"].tobytes()
    return Opening(salt, int(tap["uid"]).to_bytes(7, "big"), number, int(tap["tmc"]))


def purse_number(row: np.void) -> int:
    """The number of the purse that a card transaction's first row moves."""
    return int(_purses(np.array([row]))[0])
