"""Taking banks' status reports (pain.002) in: from a folder at night, or one that a person brings. No payment is ever sent again by it.

A rejected payment is work for people: whether it is paid once more, and to whom, no file of a bank decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement import store as settled
from settlement.errors import ReportRefused
from settlement.payments import pain001, pain002, store
from settlement.payments.model import Outcome, Report, Status
from settlement.statements.reading import digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keys.clock import UnixMs
    from ledger.store import Connection
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.statements.schemas import Schemas

_NAME_CHARACTERS_MAX: Final = 255


def taken(
    connection: Connection, name: str, content: bytes, at: UnixMs, schemas: Schemas | None
) -> tuple[Report, tuple[Outcome, ...]]:
    """Keep a report, and what it says of each payment. The same bytes again say the same, and change nothing.

    One that cannot be used is kept with its reason. It is tried again each time: what it speaks of may have been released since.
    """
    sha256 = digest(content)
    before = store.report_with(connection, sha256)
    try:
        told = tuple(_outcomes(connection, content, sha256, schemas))
    except ReportRefused as refused:
        report = Report(sha256, name, refused.reason, refused.line, at)
        if before is not None and (before.reason, before.line) == (report.reason, report.line):
            return before, ()
        store.keep_report(connection, report, content)
        return report, ()
    if before is not None and not before.reason:
        return before, told
    report = Report(sha256, name, "", 0, at)
    store.keep_report(connection, report, content)
    known = store.outcomes(connection, [one.reference for one in told])
    store.keep_outcomes(connection, [one for one in told if _is_news(known.get(one.reference), one)])
    return report, told


def _outcomes(connection: Connection, content: bytes, sha256: str, schemas: Schemas | None) -> list[Outcome]:
    told = pain002.read(content, schemas)
    day, bank = pain002.window_of(told)
    file = next((one for one in settled.payment_files_of(connection, day) if one.bank == bank), None)
    release = store.release_of(connection, day, bank)
    if file is None or release is None or not release.is_released:
        raise ReportRefused(f"message {told.message} was never released: the bank speaks of another file")
    if file.content.startswith(b"<"):
        return pain002.outcomes(told, pain001.blocks_of(file.content), sha256)
    payments = [
        item for item in settled.items_of(connection, day) if item.bank == bank and item.rail is not None
    ]
    return pain002.outcomes(told, {item.reference: "" for item in payments}, sha256)


def _is_news(before: Outcome | None, now: Outcome) -> bool:
    """A rejection stands until a person looks; otherwise a report may come late, and never takes a payment back."""
    order = list(Status)
    return before is None or order.index(before.status) <= order.index(now.status)


@dataclass(slots=True)
class TakeReport:
    """The unit that takes a report in at night: the writer's transaction, so that a crash leaves all of it or nothing."""

    path: Path
    schemas: Schemas | None
    document: bytes = b""

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        """Moves no money."""
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> Report:
        """The report as it is kept."""
        name = self.path.name.encode("utf-8", "replace").decode()[:_NAME_CHARACTERS_MAX]
        return taken(tx.connection, name, self.path.read_bytes(), tx.received_at, self.schemas)[0]
