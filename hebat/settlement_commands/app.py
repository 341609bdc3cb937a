"""The `hebat settlement` command and its parts: each a Typer of its own module, added here."""

from __future__ import annotations

import typer

from hebat.logs import configure
from hebat.settings import LogLevel
from hebat.settlement_commands import worklist
from hebat.settlement_commands.breaks import breaks_app
from hebat.settlement_commands.calendar import calendar_app
from hebat.settlement_commands.cut_off import cut_off_app
from hebat.settlement_commands.disputes import disputes_app
from hebat.settlement_commands.fees import fees_app
from hebat.settlement_commands.mappings import mappings_app
from hebat.settlement_commands.matching import match_app
from hebat.settlement_commands.participants import participants_app
from hebat.settlement_commands.payments import payments_app
from hebat.settlement_commands.rails import rails_app
from hebat.settlement_commands.statements import statements_app
from hebat.settlement_commands.write_offs import write_offs_app

settlement_app = typer.Typer(
    help="Statements, payments, matching and breaks: what the console does, from a shell.",
    no_args_is_help=True,
)
settlement_app.add_typer(statements_app, name="statements")
settlement_app.add_typer(mappings_app, name="mappings")
settlement_app.add_typer(participants_app, name="participants")
settlement_app.add_typer(payments_app, name="payments")
settlement_app.add_typer(rails_app, name="rails")
settlement_app.add_typer(cut_off_app, name="cut-off")
settlement_app.add_typer(write_offs_app, name="write-offs")
settlement_app.add_typer(fees_app, name="fees")
settlement_app.add_typer(calendar_app, name="calendar")
settlement_app.add_typer(match_app, name="match")
settlement_app.add_typer(breaks_app, name="breaks")
settlement_app.add_typer(disputes_app, name="disputes")
worklist.add_to(settlement_app)


@settlement_app.callback()
def _quiet() -> None:
    """Statements, payments, matching and breaks: what the console does, from a shell."""
    configure(LogLevel.ERROR)
