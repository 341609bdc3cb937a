"""A batch as it goes to the writer: everything that can be known of it before its turn, found by the thread that received it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from card.batch import TapRecord, record_or_malformed
from ledger.intake.columnar import fields as f

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from card.batch import BatchFrame
    from keys.identity import TerminalCertificate
    from ledger.bundles.blocks import BlockedThen
    from ledger.intake.assess import Assessed, Assessor
    from ledger.intake.bounds import Sender
    from ledger.intake.columnar.columns import Columns

    Integers = npt.NDArray[np.int64]

NO_TIME = -1
"""Of a record that cannot be read."""


@dataclass(frozen=True, slots=True)
class Examined:
    """The parts: signed bytes and their digest, who sent them, records by columns, and by themselves those that are not plain.

    `occurred_at` and `uids` hold for all records that can be read; `subsidies` (sen) for plain ones. `unread` are the places of cards whose highest counter
    in the books was looked up for this batch: `highest`.
    """

    body: bytes
    digest: bytes
    frame: BatchFrame
    sender: Sender
    columns: Columns
    assessed: Mapping[int, Assessed]
    occurred_at: Integers
    uids: Integers
    subsidies: Integers
    unread: Integers
    highest: Integers
    blocked: BlockedThen


def assess_rest(
    columns: Columns, assessor: Assessor, certificate: TerminalCertificate
) -> tuple[dict[int, Assessed], Integers, Integers]:
    """The records that are not plain, each by itself; times and UIDs of all records."""
    occurred_at, uids = columns.at[f.OCCURRED_AT].copy(), columns.at[f.UID].copy()
    assessed = {}
    for place in np.flatnonzero(~columns.plain).tolist():
        found = assess_at(place, columns, assessor, certificate)
        assessed[place] = found
        readable = isinstance(found.record, TapRecord)
        uids[place] = found.uid
        occurred_at[place] = found.record.occurred_at if readable else NO_TIME  # type: ignore[union-attr]
    return assessed, occurred_at, uids


def assess_at(place: int, columns: Columns, assessor: Assessor, certificate: TerminalCertificate) -> Assessed:
    """One record of a batch by itself."""
    raw = columns.raws[place]
    record = record_or_malformed(raw, columns.first_sequence + place)
    return assessor.assess(record, raw, certificate)
