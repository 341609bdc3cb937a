"""Units that look at nothing, applied as one: checking and moving 64 single transfers at once costs little more than one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger import group as limits
from ledger import journal
from ledger.errors import LedgerError
from ledger.transaction import PostedRows

if TYPE_CHECKING:
    from collections import deque

    from ledger.engine import Engine
    from ledger.group import Group, Waiting
    from ledger.transaction import Transaction


def blind_run(backlog: deque[Waiting], group: Group, tx: Transaction) -> list[Waiting]:
    """Take the units that wait next and look at nothing (see `Unit`), as many as the group has room for."""
    run: list[Waiting] = []
    rows = group.row_count
    while (
        backlog
        and getattr(backlog[0].unit, "blind", False)
        and len(group.taken) + len(run) < limits.GROUP_MAX
        and rows < limits.GROUP_ROWS_MAX
    ):
        run.append(backlog.popleft())
        rows += len(run[-1].unit.plan(tx))
    return run


def apply_together(run: list[Waiting], engine: Engine, group: Group, tx: Transaction) -> list[Any] | None:
    """Check and apply the rows of such units at once: their answers; None, with nothing done, where they cannot be taken together."""
    parts = [waiting.unit.plan(tx) for waiting in run]
    try:
        rows = journal.joined(parts, tx.received_at, tx.business_date)
    except LedgerError:
        return None
    applied = engine.apply(rows)
    rows["position"] = applied.positions
    posted, at = PostedRows(rows, applied), 0
    answers: list[Any] = []
    for waiting, part in zip(run, parts, strict=True):
        answers.append(waiting.unit.settle(posted[at : at + len(part)], tx))
        at += len(part)
        group.note(waiting.unit.document)
        tx.ordinal += bool(waiting.unit.document)
    group.take(rows if posted.all_posted else rows[applied.positions > 0], b"")
    return answers
