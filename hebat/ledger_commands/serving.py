"""`hebat serve` and `hebat ledger serve`: a city's ledger and pages over HTTP."""

from __future__ import annotations

import signal
import threading
from typing import Annotated, Final

import typer
from rich.console import Console

from hebat.ledger_commands.place import DatabaseOption, DataOption, place_of
from hebat.logs import configure
from hebat.settings import read_settings

AWAKE_SECONDS: Final = 0.25
STARTING: Final = "Starting: the books are opened, and what is compiled is loaded. It takes some seconds."
PLACES: Final = (
    ("cardholders", "/"),
    ("staff", "/staff/sign-in"),
    ("the API", "/openapi.json"),
    ("metrics", "/metrics"),
)
"""What a person who starts a server may want to open."""


def wait() -> None:
    """Until Ctrl-C, or until the system asks the process to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # polars takes SIGINT over when it is loaded, in a way that lets a wait without an end sleep on: so it wakes up by itself.
    while not stop.wait(AWAKE_SECONDS):
        pass
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever is in a hurry asks a second time


def tell_ready(out: Console, address: str) -> None:
    """Where the server is: to people the addresses worth knowing, to a program that reads the output one line."""
    if not out.is_terminal:
        out.print(f"{address}/night  (Ctrl-C stops)")
        return
    out.print("Ready. Ctrl-C stops.")
    for name, path in PLACES:
        out.print(f"  {name:<12} {address}{path}", soft_wrap=True)


def serve(
    data: DataOption,
    port: Annotated[int | None, typer.Option(help="The port on 127.0.0.1 (HEBAT_PORT).")] = None,
    database: DatabaseOption = None,
) -> None:
    """Serve a city's ledger and pages on loopback until Ctrl-C."""
    out = Console(highlight=False)
    if out.is_terminal:
        out.print(STARTING)
    from hebat.allocating import keep_memory  # noqa: PLC0415
    from hebat.application import application  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.configurations import configuration_of  # noqa: PLC0415
    from hebat.night_commands.door import NightDoor  # noqa: PLC0415
    from hebat.serving import LoopbackServer, set_aside, take_short_turns, tls_between  # noqa: PLC0415
    from hebat.wiring import City  # noqa: PLC0415
    from keys.clock import SystemClock  # noqa: PLC0415
    from ledger.warming import warm  # noqa: PLC0415

    settings = read_settings()
    asked = settings.tls_certificate or settings.tls_key
    tls = tls_between(settings.tls_certificate, settings.tls_key) if asked else None
    take_short_turns()
    keep_memory()
    configure(settings.log_level, settings.log_form)
    warm()
    folder = place_of(data, database).folder
    assert folder is not None  # noqa: S101  --data is asked for
    with (
        City(folder, configuration_of(folder), SystemClock()) as city,
        NightDoor(city),
        city.asking(),
        LoopbackServer(application(city), settings.port if port is None else port, tls) as server,
    ):
        set_aside()
        tell_ready(out, server.address)
        wait()
