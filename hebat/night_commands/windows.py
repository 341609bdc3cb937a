"""`hebat windows`: which business dates are open, closed or settled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from hebat.ledger_commands.place import DataOption, JsonOption  # noqa: TC001  Typer reads the options' types
from hebat.settlement_commands.place import city_database, show_table

if TYPE_CHECKING:
    from settlement.windows import WindowLine


def windows(data: DataOption, as_json: JsonOption = False) -> None:
    """List windows, newest first: open, closed, settled. Beside a server or without one."""
    from keys.clock import SystemClock  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from settlement.windows import window_lines  # noqa: PLC0415

    with city_database(data) as database:
        lines = window_lines(database, SystemClock().now())
    if as_json:
        typer.echo(json.dumps([_told(line) for line in lines], indent=1))
        return
    rows = [[str(value or "") for value in _told(line).values()] for line in lines]
    show_table(list(_told(lines[0])), rows, right=("transfers", "last_position", "entries"))


def _told(line: WindowLine) -> dict[str, object]:
    from keys.clock import date_of, local  # noqa: PLC0415  as above

    return {
        "business_date": date_of(line.business_date).isoformat(),
        "state": line.state.value,
        "closed_at": local(line.closed_at).isoformat(timespec="seconds") if line.closed_at else "",
        "transfers": line.transfers,
        "last_position": line.last_position,
        "entries": line.entries,
    }
