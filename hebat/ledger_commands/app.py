"""The `hebat ledger` command and its parts.

All end with 0 where it is done, 2 for what the caller can mend, 3 where damage was found, 4 where another process uses the ledger.
"""

from __future__ import annotations

import typer

from hebat.ledger_commands import archiving, carrying, checking, granting, keeping, serving, upgrading

ledger_app = typer.Typer(help="Look after a ledger.", no_args_is_help=True)
ledger_app.command()(keeping.init)
ledger_app.command()(serving.serve)
ledger_app.command()(checking.verify)
ledger_app.command()(upgrading.upgrade)
ledger_app.command()(granting.grant)
ledger_app.command()(keeping.rebuild)
ledger_app.command()(keeping.snapshot)
ledger_app.command()(keeping.checkpoint)
ledger_app.command()(archiving.archive)
ledger_app.command()(carrying.export)
ledger_app.command("import")(carrying.take)
