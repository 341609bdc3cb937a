"""The journal's chain: each block's digest covers the block before, its rows and its documents. Pure; `ledger.store` keeps it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.chart import Code, split
from ledger.errors import AccountUnknown, TransferInvalid
from ledger.transfer import ROW, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from keys.clock import Day, UnixMs
    from ledger.transfer import Transfer

    Rows = npt.NDArray[np.void]

GENESIS: Final = bytes(32)
UNIT_ROWS_MAX: Final = 1_000_000
"""Transfers of one unit of the writer: they stand in one block, which is read whole."""
_HEADER: Final = struct.Struct("<5q")
_CODES: Final = np.array(sorted(Code), np.int64)
_CODE_SHIFT: Final = 56
_CODE_MASK: Final = 127
_KNOWN: Final = np.isin(np.arange(128), _CODES)
_IDENTITIES: Final = ("hold", "uid", "tmc", "terminal", "sequence")
_PARTITION_SHIFT: Final = 50
_PARTITION_MASK: Final = 63


@dataclass(frozen=True, slots=True)
class Block:
    """A group commit: which rows it holds, and what it is chained to. Digests are SHA-256."""

    block: int
    first_position: int
    rows: int
    received_at: UnixMs
    business_date: Day
    documents: bytes
    previous: bytes
    digest: bytes

    @property
    def last_position(self) -> int:
        """The position of its last row; where it has none, that of the last row before it."""
        return self.first_position + self.rows - 1


def documents_digest(bodies: Sequence[bytes]) -> bytes:
    """SHA-256 over the SHA-256 of each document."""
    outer = hashlib.sha256()
    for body in bodies:
        outer.update(hashlib.sha256(body).digest())
    return outer.digest()


def block_digest(block: Block, rows: Rows) -> bytes:
    """SHA-256 over previous digest, header (five 64-bit integers), rows (ROW bytes) and the documents' digest."""
    header = _HEADER.pack(
        block.block, block.first_position, block.rows, block.received_at, block.business_date
    )
    return hashlib.sha256(block.previous + header + rows.tobytes() + block.documents).digest()


def make_block(
    before: Block | None, rows: Rows, bodies: Sequence[bytes], received_at: UnixMs, business_date: Day
) -> Block:
    """The block after `before` (None: the first) for these rows and documents."""
    number, first, previous = 1, 1, GENESIS
    if before is not None:
        number, first, previous = before.block + 1, before.last_position + 1, before.digest
    documents = documents_digest(bodies)
    unsigned = Block(number, first, len(rows), received_at, business_date, documents, previous, b"")
    return replace(unsigned, digest=block_digest(unsigned, rows))


def partitions_of(accounts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The partition of each account."""
    return (accounts >> _PARTITION_SHIFT) & _PARTITION_MASK


def rows_of(transfers: Sequence[Transfer] | Rows, received_at: UnixMs, business_date: Day) -> Rows:
    """Transfers, one by one or as an array of ROW, as new journal rows, positions still 0; the partition is the debited account's.

    Raises AccountUnknown for a number that names no account, TransferInvalid for one that 64 bits cannot hold, a negative identity,
    an array of another kind or more than UNIT_ROWS_MAX of them.
    """
    rows = transfers.copy() if isinstance(transfers, np.ndarray) else listed(transfers)
    if rows.dtype != ROW or rows.ndim != 1:
        raise TransferInvalid(f"transfers as an array have the columns of ROW, not {rows.dtype}")
    if len(rows) > UNIT_ROWS_MAX:
        raise TransferInvalid(
            f"{len(rows)} transfers at once, {UNIT_ROWS_MAX} are allowed: post them in parts"
        )
    for side in ("debit", "credit"):
        accounts = rows[side]
        unknown = np.flatnonzero((accounts <= 0) | ~_KNOWN[(accounts >> _CODE_SHIFT) & _CODE_MASK])
        if len(unknown):
            split(accounts[unknown[0]].item())
            raise AccountUnknown(f"{accounts[unknown[0]]} names no account: ask the chart for one")
    if len(rows) and min(rows[name].min() for name in _IDENTITIES) < 0:
        raise TransferInvalid("hold, uid, tmc, terminal and sequence count from 0: one of them is negative")
    rows["position"], rows["received_at"], rows["business_date"] = 0, received_at, business_date
    rows["partition"] = partitions_of(rows["debit"])
    return rows


def joined(parts: Sequence[Sequence[Transfer] | Rows], received_at: UnixMs, business_date: Day) -> Rows:
    """Arrays of several units as new journal rows (see `rows_of`).

    Raises TransferInvalid where they cannot stand in one array: one is none, or ends in the middle of a linked group.
    """
    arrays = [part for part in parts if isinstance(part, np.ndarray) and part.dtype == ROW and part.ndim == 1]
    if len(arrays) < len(parts):
        raise TransferInvalid("transfers as an array have the columns of ROW")
    rows = concatenated(arrays)
    ends = np.cumsum([len(part) for part in arrays if len(part)], dtype=np.int64) - 1
    if (rows["flags"][ends] & int(Flag.LINKED)).any():
        raise TransferInvalid("a linked group does not end with its unit")
    return rows_of(rows, received_at, business_date)


def concatenated(arrays: Sequence[Rows]) -> Rows:
    """Arrays of ROW behind each other, as bytes: of records NumPy would compare the fields' names at each array, 100 microseconds."""
    if len(arrays) == 1:
        return arrays[0]
    return np.frombuffer(bytearray().join([np.ascontiguousarray(array).data for array in arrays]), ROW)


def listed(transfers: Sequence[Transfer]) -> Rows:
    """Transfers one by one as an array of ROW, what the writer fills still 0; raises TransferInvalid."""
    try:
        return np.array(
            [
                (
                    0, 0, one.debit, one.credit, one.amount, one.kind, one.flags, one.hold, one.occurred_at,
                    0, one.service_day, 0, one.uid, one.tmc, one.terminal, one.sequence,
                )
                for one in transfers
            ],
            ROW,
        )  # fmt: skip
    except (OverflowError, TypeError, ValueError) as error:
        raise TransferInvalid(f"a transfer holds a value that is no 64-bit integer: {error}") from error
