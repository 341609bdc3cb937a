"""Applying units: those that look at nothing as one, since checking and moving 64 single transfers at once costs little more than one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger import group as limits
from ledger import journal
from ledger.errors import LeaseLost, LedgerError, StorageError
from ledger.transaction import PostedRows

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from ledger.engine import Engine
    from ledger.group import Group, Waiting
    from ledger.store import Database
    from ledger.transaction import Transaction
    from ledger.transfer import Transfer

    Rows = npt.NDArray[np.void]


def blind_run(
    backlog: deque[Waiting], group: Group, tx: Transaction
) -> tuple[list[Waiting], list[Sequence[Transfer] | Rows]]:
    """Take the units that wait next and look at nothing (see `Unit`), as many as the group has room for; and what each gives."""
    run: list[Waiting] = []
    parts: list[Sequence[Transfer] | Rows] = []
    room, rows = limits.GROUP_MAX - len(group.taken), group.row_count
    while (
        backlog and len(run) < room and rows < limits.GROUP_ROWS_MAX and getattr(backlog[0].unit, "blind", False)
    ):  # fmt: skip
        try:
            part = backlog[0].unit.plan(tx)
            rows += len(part)
        except Exception:  # noqa: BLE001  asked again by itself, it fails alone
            break
        run.append(backlog.popleft())
        parts.append(part)
    return run, parts


def apply_together(
    run: list[Waiting], parts: list[Sequence[Transfer] | Rows], engine: Engine, group: Group, tx: Transaction
) -> bool:
    """Check and apply the rows of such units at once, with their answers; False, with nothing done, where they cannot be taken together."""
    try:
        rows = journal.joined(parts, tx.received_at, tx.business_date)
    except LedgerError:
        return False
    # Before anything moves: whatever fails from here on is the group's, and its units hear of it.
    group.taken += run
    applied = engine.apply(rows)
    rows["position"] = applied.positions
    posted, at = PostedRows(rows, applied), 0
    for waiting, part in zip(run, parts, strict=True):
        unit, end = waiting.unit, at + len(part)
        group.answers.append(unit.settle(posted[at:end], tx))
        at = end
        if unit.document:
            group.note(unit.document)
            tx.ordinal += 1
    group.take(rows if posted.all_posted else rows[applied.positions > 0], b"")
    return True


def apply_alone(waiting: Waiting, database: Database, engine: Engine, group: Group, tx: Transaction) -> Any:
    """One unit by itself: its answer, or the error that its plan ended in."""
    unit = waiting.unit
    try:
        with database.explained():
            rows = tx.planned(unit)
    except Exception as error:
        # What units before it left to be written, a lost lease and a cut connection are no fault of the plan.
        if tx.failed is not None or group.is_cut or isinstance(error, LeaseLost):
            raise
        return error  # a plan that fails, fails alone
    applied = engine.apply(rows)
    rows["position"] = applied.positions
    posted = PostedRows(rows, applied)
    try:
        with database.explained():
            answer, document = unit.settle(posted, tx), unit.document
    except Exception as error:
        if not isinstance(error, StorageError) and tx.failed is None:
            group.culprit = waiting
        raise
    group.take(rows if posted.all_posted else rows[applied.positions > 0], document)
    tx.ordinal += bool(document)
    return answer
