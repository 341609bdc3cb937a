"""What is sealed of holders in an older form is sealed anew in the newest, some of it at each closing, while the server runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from ledger.cardholder import disputes, holders, records
from ledger.cardholder.unit import noted
from ledger.errors import DatabaseDamaged

if TYPE_CHECKING:
    from ledger.book import Ledger
    from ledger.cardholder.records import DisputeRow, HolderRow
    from ledger.cardholder.sealing import Sealing
    from ledger.store import Connection

AT_ONCE: Final = 10_000
"""Rows of each table that one closing takes: a second's work."""
EACH: Final = 200
"""Rows that one commit takes: what waits behind it waits for milliseconds."""
_log = structlog.get_logger("cardholder")


def seal_anew(ledger: Ledger, sealing: Sealing) -> int:
    """Seal what is in an older form anew; how many rows."""
    with ledger.database.transaction() as connection:
        people = records.holders_sealed_otherwise(connection, sealing.newest, AT_ONCE)
        reports = records.disputes_sealed_otherwise(connection, sealing.newest, AT_ONCE)
    named = [
        (row, sealed) for row in people if (sealed := renewed(sealing, holders.CONTEXT, row.uid, row.sealed))
    ]
    worded = [
        (row, words) for row in reports if (words := renewed(sealing, disputes.CONTEXT, row.uid, row.words))
    ]
    for at in range(0, len(named), EACH):
        _holders(ledger, named[at : at + EACH])
    for at in range(0, len(worded), EACH):
        _disputes(ledger, worded[at : at + EACH])
    return len(named) + len(worded)


def renewed(sealing: Sealing, context: str, uid: int, sealed: bytes) -> bytes:
    """The same data in the newest form; b"", and a line in the log, where it is not what was sealed: it stays for whoever restores it."""
    try:
        return sealing.renewed(context, uid, sealed)
    except DatabaseDamaged:
        _log.error("a seal does not open", context=context)
        return b""


def _holders(ledger: Ledger, renewed: list[tuple[HolderRow, bytes]]) -> None:
    def work(connection: Connection) -> None:
        for row, sealed in renewed:
            # Else it was changed or erased since it was read.
            if records.holder_of(connection, row.partition, row.uid) == row:
                records.put_holder(connection, replace(row, sealed=sealed))

    noted(ledger, work)


def _disputes(ledger: Ledger, renewed: list[tuple[DisputeRow, bytes]]) -> None:
    def work(connection: Connection) -> None:
        for row, words in renewed:
            records.keep_words(connection, row, words)

    noted(ledger, work)
