"""The blocks of one closed business date, looked at byte by byte: a night's part of what `hebat ledger verify` does over the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ledger import journal
from ledger.chain import store
from ledger.closing.store import first_block
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.chain.store import Window
    from ledger.journal import Block
    from ledger.store import Connection

_ROWS_AT_ONCE: Final = 100_000


def check_day(connection: Connection, window: Window) -> tuple[int, list[str]]:
    """How many blocks a closed business date has, and what is wrong with them: digests, links, documents."""
    first = first_block(connection, window.business_date)
    if first is None:
        return 0, []
    wrong: list[str] = []
    count = 0
    before = store.read_block(connection, first - 1) if first > 1 else None
    for blocks in _spans(connection, first, window):
        rows = np.concatenate(
            [
                np.zeros(0, ROW),
                *store.read_rows(connection, blocks[0].first_position, blocks[-1].last_position),
            ]
        )
        documents = store.documents_of(connection, blocks[0].block, blocks[-1].block)
        for block in blocks:
            if not _holds(block, before, rows, documents.get(block.block, [])):
                wrong.append(f"block {block.block} is not what was written")
            before, count = block, count + 1
    return count, wrong


def _spans(connection: Connection, first: int, window: Window) -> Iterator[list[Block]]:
    """The date's blocks, in spans of about so many rows."""
    span: list[Block] = []
    rows = 0
    for block in store.read_blocks(connection, first - 1):
        if block.business_date > window.business_date:
            break
        span.append(block)
        rows += block.rows
        if rows >= _ROWS_AT_ONCE:
            yield span
            span, rows = [], 0
    if span:
        yield span


def _holds(
    block: Block, before: Block | None, rows: np.ndarray[tuple[int], np.dtype[np.void]], bodies: list[bytes]
) -> bool:
    begin, end = np.searchsorted(rows["position"], [block.first_position, block.last_position + 1])
    mine = rows[begin:end]
    return (
        len(mine) == block.rows
        and block.previous == (before.digest if before else journal.GENESIS)
        and block.documents == journal.documents_digest(bodies)
        and block.digest == journal.block_digest(block, mine)
    )
