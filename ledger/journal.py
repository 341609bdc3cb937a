"""The journal's chain: each block's digest covers the block before, its rows and its documents."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.store import Block
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from keys.clock import Day, UnixMs
    from ledger.transfer import Transfer

    Rows = npt.NDArray[np.void]

GENESIS: Final = bytes(32)
_HEADER: Final = struct.Struct("<5q")


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
        number, first, previous = before.block + 1, before.first_position + before.rows, before.digest
    documents = documents_digest(bodies)
    unsigned = Block(number, first, len(rows), received_at, business_date, documents, previous, b"")
    return Block(
        number,
        first,
        len(rows),
        received_at,
        business_date,
        documents,
        previous,
        block_digest(unsigned, rows),
    )


def rows_of(transfers: Sequence[Transfer], received_at: UnixMs, business_date: Day) -> Rows:
    """Transfers as journal rows, their positions still 0; the partition is the debited account's."""
    return np.array(
        [
            (
                int(one.debit) >> 50 & 63, 0, one.debit, one.credit, one.amount, one.kind, one.flags, one.hold,
                one.occurred_at, received_at, one.service_day, business_date, one.uid, one.tmc, one.terminal,
                one.sequence,
            )
            for one in transfers
        ],
        ROW,
    )  # fmt: skip
