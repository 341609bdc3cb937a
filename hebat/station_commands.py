"""The `hebat terminal` command: this device at work, with its readers and its screen. Loads neither the ledger nor NumPy."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import structlog
import typer
from rich.console import Console

from hebat.errors import InputRefused
from hebat.logs import configure
from hebat.settings import read_settings
from keys.clock import SystemClock
from keys.money import Rupiah

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock
    from terminals.screen.board import Board
    from terminals.station import Readers, Station

SCREEN_PORT: Final = 8470
_log = structlog.get_logger("hebat.terminal")
FolderOption = Annotated[Path, typer.Option("--folder", help="The terminal's own folder on this device.")]

terminal_app = typer.Typer(
    help="Be a terminal: a validator, a handheld, a till or a kiosk.", no_args_is_help=True
)


@terminal_app.callback()
def _quiet() -> None:
    """Be a terminal: a validator, a handheld, a till or a kiosk."""
    configure(read_settings().log_level)


@terminal_app.command()
def run(
    folder: FolderOption,
    ledger: Annotated[str, typer.Option("--ledger", help="The ledger's address.")] = "http://127.0.0.1:8460",
    secret: Annotated[
        Path | None,
        typer.Option(help="The file of the device's secret, as at enrolment; beside the folder without it."),
    ] = None,
    stop: Annotated[
        str, typer.Option(help="The stop where it stands, by id or name; the first of its route without it.")
    ] = "",
    port: Annotated[int, typer.Option(help="The screen's port on 127.0.0.1.")] = SCREEN_PORT,
    console: Annotated[
        bool, typer.Option("--console", help="The screen in this console too (extra `console`).")
    ] = False,
    printer: Annotated[
        Path | None, typer.Option(help="An ESC/POS printer's device for receipts (extra `receipts`).")
    ] = None,
    page: Annotated[
        str,
        typer.Option(
            help="Where phones reach the ledger's pages, such as https://kartu.example: a kiosk shows each balance as a code to scan there."
        ),
    ] = "",
    exits: Annotated[
        bool, typer.Option("--exit", help="A gate that lets people out, where rides are tapped in and out.")
    ] = False,
    title: Annotated[str, typer.Option(help="What stands on top of a receipt.")] = "Kartu Semarang Hebat",
) -> None:
    """Work as an enrolled terminal until Ctrl-C: cards at this machine's readers, its screen in a browser."""
    from terminals.fares import TRANS_SEMARANG_2022  # noqa: PLC0415  loads only where it is needed
    from terminals.opening import opened  # noqa: PLC0415
    from terminals.pump import Pump  # noqa: PLC0415
    from terminals.roles.choosing import panel_of  # noqa: PLC0415
    from terminals.station import Station  # noqa: PLC0415

    if page and not page.startswith(("https://", "http://")):
        raise InputRefused(f"{page!r} is no address of a page: write it as https://kartu.example")
    clock = SystemClock()
    found = opened(folder, clock, ledger, TRANS_SEMARANG_2022, secret)
    with found.terminal as terminal:
        receipts = None if printer is None else _printed(printer, title, terminal.number, clock)
        panel = panel_of(found, stop, page, exits=exits)
        station = Station(terminal, panel, Pump(terminal, clock.now), clock, receipts)
        serve(station, port, f"terminal {terminal.number}, a {found.role}", console=console)


def _printed(device: Path, title: str, number: int, clock: Clock) -> Callable[[Board], None]:
    """Prints the receipt of a board; a printer that fails is a line in the log."""
    from terminals.receipts.slip import Slip, escpos  # noqa: PLC0415  as above

    def put(board: Board) -> None:
        amount, balance = board.amount or Rupiah(0), board.balance or Rupiah(0)
        slip = Slip(title, board.word, amount, balance, clock.now(), number, board.sequence)
        try:
            with device.open("ab") as paper:
                paper.write(escpos(slip, "id"))
        except OSError as error:
            _log.error("receipt not printed", reason=error.strerror)

    return put


def serve(station: Station, port: int, name: str, *, console: bool = False) -> None:
    """Serve readers and screen until Ctrl-C, or until the system asks the process to end."""
    from hebat.serving import LoopbackServer  # noqa: PLC0415  as above
    from terminals.screen.web import screen  # noqa: PLC0415
    from terminals.station import at_work  # noqa: PLC0415

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with at_work(station, _readers()), LoopbackServer(screen(station, ended), port) as server:
        Console(highlight=False).print(f"{server.address}  ({name}; Ctrl-C stops)")
        with suppress(KeyboardInterrupt):
            if console:
                from terminals.screen.console import Console as Drawn  # noqa: PLC0415  as above

                Drawn(station).run()
            else:
                ended.wait()
        ended.set()


def _readers() -> Readers:
    from card import pcsc  # noqa: PLC0415  PC/SC loads only where cards are served

    return pcsc
