"""The `hebat terminal` command: this device at work, with its readers and its screen. Loads neither the ledger nor NumPy."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from hebat.errors import InputRefused
from hebat.logs import configure
from hebat.settings import read_settings
from keys.clock import SystemClock

if TYPE_CHECKING:
    from terminals.station import Readers, Station

SCREEN_PORT: Final = 8470
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
    stop: Annotated[
        str, typer.Option(help="The stop where it stands, by id or name; the first of its route without it.")
    ] = "",
    port: Annotated[int, typer.Option(help="The screen's port on 127.0.0.1.")] = SCREEN_PORT,
) -> None:
    """Work as an enrolled terminal until Ctrl-C: cards at this machine's readers, its screen in a browser."""
    from terminals.fares import TRANS_SEMARANG_2022  # noqa: PLC0415  loads only where it is needed
    from terminals.opening import opened  # noqa: PLC0415
    from terminals.pump import Pump  # noqa: PLC0415
    from terminals.roles.choosing import panel_of  # noqa: PLC0415
    from terminals.station import Station  # noqa: PLC0415

    if not folder.is_dir():
        raise InputRefused(
            f"{folder} holds no terminal: enrol one with `hebat terminals enrol --folder {folder}`"
        )
    clock = SystemClock()
    found = opened(folder, clock, ledger, TRANS_SEMARANG_2022)
    with found.terminal as terminal:
        station = Station(terminal, panel_of(found, stop), Pump(terminal, clock.now), clock)
        serve(station, port, f"terminal {terminal.number}, a {found.role}")


def serve(station: Station, port: int, name: str) -> None:
    """Serve readers and screen until Ctrl-C, or until the system asks the process to end."""
    from hebat.serving import LoopbackServer  # noqa: PLC0415  as above
    from terminals.screen.web import screen  # noqa: PLC0415
    from terminals.station import at_work  # noqa: PLC0415

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with at_work(station, _readers()), LoopbackServer(screen(station, ended), port) as server:
        Console(highlight=False).print(f"{server.address}  ({name}; Ctrl-C stops)")
        with suppress(KeyboardInterrupt):
            ended.wait()
        ended.set()


def _readers() -> Readers:
    from card import pcsc  # noqa: PLC0415  PC/SC loads only where cards are served

    return pcsc
