"""The `hebat ledger` command and its parts."""

from __future__ import annotations

import typer

from hebat.ledger_commands import checking, upgrading

ledger_app = typer.Typer(help="Look after a ledger.", no_args_is_help=True)
ledger_app.command()(checking.verify)
ledger_app.command()(upgrading.upgrade)
