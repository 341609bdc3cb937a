"""Writing beside the ledger's writer: short transactions that wait for their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import stamina

from ledger.errors import DatabaseBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.store import Connection, Database

ATTEMPTS: Final = 12
"""Each waits for as long as the database itself does."""


def write_in_turn(database: Database, write: Callable[[Connection], object]) -> None:
    """Run a short writing transaction; raises DatabaseBusy where no turn came in a minute."""

    @stamina.retry(on=DatabaseBusy, attempts=ATTEMPTS, timeout=60)
    def once() -> None:
        with database.writing() as connection:
            write(connection)

    once()
