"""The `hebat` command. Every error is one sentence on standard error; exit code 2 for what the caller can mend, 1 for a broken law."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from card.errors import CardError
from hebat import embedded
from hebat.bank_commands.app import bank_app
from hebat.bundles.commands import bundles_app
from hebat.cards.commands import card_app
from hebat.client_commands import clients_app
from hebat.errors import HebatError, InputRefused, exit_code_of, said_by_system
from hebat.fares.commands import fares_app
from hebat.folder import Folder
from hebat.keyroom.backups import keys_app
from hebat.ledger_commands.app import ledger_app
from hebat.ledger_commands.proofs import proof_app
from hebat.ledger_commands.serving import serve, wait
from hebat.load.commands import load_app
from hebat.logs import configure
from hebat.night_commands.running import night, settle
from hebat.night_commands.windows import windows
from hebat.printed import console
from hebat.progress import Quiet, Shown
from hebat.reference import reference
from hebat.saving_commands import saving_app
from hebat.settings import LogLevel, read_settings
from hebat.settlement_commands.app import settlement_app
from hebat.simulate.commands import simulate
from hebat.staff_commands import staff_app
from hebat.station_commands import terminal_app
from hebat.supply.commands import audit, sbom
from hebat.terminal_commands import terminals_app
from hebat.usage import ClickException, NoArgsIsHelpError, told
from hebat.wallet_commands import wallet_app
from keys.errors import KeysError
from keys.hardening import forbid_dumps
from ledger.errors import LedgerError
from settlement.errors import SettlementError
from terminals.errors import TerminalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from hebat.progress import Progress

DEMO_DAY: Final = "2026-11-18"
"""A Wednesday: schools are open, so pupils ride at their concession."""
TRY: Final = "To try it"
CITY: Final = "A city, day by day"
DEVICES: Final = "Cards and terminals"
BOOKS: Final = "Books, keys and clients"
SELF: Final = "This installation"
PROJECT: Final = "kartu-semarang-hebat"
_ERRORS: Final = (HebatError, KeysError, CardError, LedgerError, TerminalError, SettlementError)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False, add_completion=False,
)  # fmt: skip
DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
KeepOption = Annotated[Path | None, typer.Option("--keep", help="Keep the data in this new folder.")]


@app.callback(invoke_without_command=True)
def hebat(
    tell_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Kartu Semarang Hebat: cards, terminals, ledger and settlement of a city."""
    if tell_version:
        typer.echo(f"hebat {version(PROJECT)}")
        raise typer.Exit


def main() -> None:
    """Run the command; no error of ours shows a traceback."""
    forbid_dumps()
    configure(LogLevel.WARNING)  # on standard error; a command that wants to hear more says so
    try:
        code = app(
            prog_name="hebat", standalone_mode=False
        )  # its errors come here, to be told as all others are
    except NoArgsIsHelpError:  # Typer has shown the help
        code = InputRefused.exit_code
    except ClickException as error:
        typer.echo(f"hebat: {told(error)}", err=True)
        code = InputRefused.exit_code
    except typer.Abort:  # nobody is there to answer what was asked for
        typer.echo("hebat: stopped, as nothing was typed where an answer was asked for", err=True)
        code = 1
    except _ERRORS as error:
        typer.echo(f"hebat: {error}", err=True)
        code = exit_code_of(error)
    except OSError as error:
        if error.errno is None:  # not the system's word: a fault of ours, which is shown whole
            raise
        typer.echo(f"hebat: {said_by_system(error)}", err=True)
        code = InputRefused.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _console(*, machine: bool) -> tuple[Console, Progress]:
    out = console(machine=machine)
    return out, Quiet() if machine else Shown(out)


def _data_folder(stack: ExitStack, keep: Path | None, *, postgresql: bool = False) -> Folder:
    if keep is not None and postgresql:
        raise InputRefused(
            "that PostgreSQL goes with the demo: to keep a city, name yours with HEBAT_DATABASE_URL"
        )
    if keep is not None:
        return Folder(keep)
    database = embedded.address(stack.enter_context(embedded.server())) if postgresql else ""
    return Folder(Path(stack.enter_context(TemporaryDirectory(prefix="hebat-"))) / "city", database)


def _taken_away(folder: Folder) -> Callable[..., None]:
    """What ends a day: a new folder goes with one that was stopped or failed before its report, as no half of a city can be served."""
    new = not folder.root.exists()

    def end(_kind: object, error: BaseException | None, _trace: object) -> None:
        if new and error is not None and not folder.report.exists():
            shutil.rmtree(folder.root, ignore_errors=True)

    return end


@app.command(rich_help_panel=TRY)
def demo(
    seed: Annotated[int, typer.Option(help="The day's dice.")] = 1,
    cards: Annotated[int, typer.Option(min=20, max=20_000, help="How many people hold a card.")] = 500,
    day: Annotated[
        datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The business date.")
    ] = datetime.fromisoformat(DEMO_DAY),  # noqa: B008  a constant, written as Typer shows it
    keep: KeepOption = None,
    as_json: JsonOption = False,
    serve: Annotated[bool, typer.Option(help="Go on serving the pages until Ctrl-C.")] = False,
    port: Annotated[int | None, typer.Option(help="Where the pages are served (HEBAT_PORT).")] = None,
    postgresql: Annotated[
        bool,
        typer.Option("--postgresql", help="Keep the books in a PostgreSQL that is started for this day."),
    ] = False,
) -> None:
    """Run one business day of a city: cards, terminals, ledger, night, banks."""
    from hebat.demo.day import run  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.demo.figures import make_report  # noqa: PLC0415
    from hebat.demo.screen import show, show_members  # noqa: PLC0415

    out, progress = _console(machine=as_json)
    chosen = read_settings().port if port is None else port
    configure(LogLevel.ERROR)  # the attackers' refusals are part of the report
    with ExitStack() as stack:
        folder = _data_folder(stack, keep, postgresql=postgresql)
        stack.push(_taken_away(folder))
        done = run(stack, folder, day.date(), seed, cards, progress, chosen if serve else 0)
        report = make_report(done)
        folder.report.write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
        if as_json:
            typer.echo(json.dumps(report.as_json(), indent=1))
        else:
            address = _address(done.address if serve else "", keep, chosen)
            show(report, out, address, scannable=serve)
            if serve or keep:
                show_members(done.staff, out, address)
            out.print(
                _how_to_look(keep, serve=serve), markup=False, soft_wrap=True
            )  # typed as it stands, whatever is in the path
        if serve:
            wait()
        if not report.sound:
            raise typer.Exit(1)


def _address(served: str, keep: Path | None, port: int) -> str:
    """Where the pages are, or will be once a kept city is served; "" where they go with the day."""
    return served or (f"http://127.0.0.1:{port}" if keep is not None else "")


def _how_to_look(keep: Path | None, *, serve: bool) -> str:
    if serve:
        return "The pages are served until Ctrl-C."
    if keep is not None:
        return f"To look at the pages: ./run serve --data {keep}"
    return "To look at the pages: ./run demo --serve (or --keep DIR, then ./run serve --data DIR)"


@app.command(rich_help_panel=TRY)
def day(
    taps: Annotated[Path, typer.Option(help="CSV of tap-in/tap-out trips.")],
    gtfs: Annotated[Path, typer.Option(help="Folder of an unpacked GTFS feed.")],
    day: Annotated[
        datetime | None,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], help="One service day; all days of the file without it."
        ),
    ] = None,
    keep: KeepOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run trips from a file through cards, terminals, ledger and night."""
    from hebat.day.report import show  # noqa: PLC0415  as above
    from hebat.day.run import run  # noqa: PLC0415

    out, progress = _console(machine=as_json)
    configure(LogLevel.ERROR)
    with ExitStack() as stack:
        folder = _data_folder(stack, keep)
        stack.push(_taken_away(folder))
        wanted: date | None = day.date() if day else None
        report = run(stack, folder, taps, gtfs, wanted, progress)
        folder.report.write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
        if as_json:
            typer.echo(json.dumps(report.as_json(), indent=1))
        else:
            show(report, out)
        if not report.sound:
            raise typer.Exit(1)


app.command(rich_help_panel=TRY)(simulate)
app.add_typer(load_app, name="load", rich_help_panel=TRY)
app.command(rich_help_panel=CITY)(serve)
app.command(rich_help_panel=CITY)(night)
app.command(rich_help_panel=CITY)(settle)
app.command(rich_help_panel=CITY)(windows)
app.add_typer(settlement_app, name="settlement", rich_help_panel=CITY)
app.add_typer(staff_app, name="staff", rich_help_panel=CITY)
app.add_typer(bank_app, name="bank", rich_help_panel=CITY)
app.add_typer(wallet_app, name="wallet", rich_help_panel=CITY)
app.add_typer(saving_app, name="saving", rich_help_panel=CITY)
app.add_typer(card_app, name="card", rich_help_panel=DEVICES)
app.add_typer(terminal_app, name="terminal", rich_help_panel=DEVICES)
app.add_typer(terminals_app, name="terminals", rich_help_panel=DEVICES)
app.add_typer(bundles_app, name="bundles", rich_help_panel=DEVICES)
app.add_typer(fares_app, name="fares", rich_help_panel=DEVICES)
app.add_typer(ledger_app, name="ledger", rich_help_panel=BOOKS)
app.add_typer(proof_app, name="proof", rich_help_panel=BOOKS)
app.add_typer(keys_app, name="keys", rich_help_panel=BOOKS)
app.add_typer(clients_app, name="clients", rich_help_panel=BOOKS)
app.command(rich_help_panel=SELF)(sbom)
app.command(rich_help_panel=SELF)(audit)
app.command(rich_help_panel=SELF)(reference)


if __name__ == "__main__":
    main()
