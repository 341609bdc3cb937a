"""What the servers that are killed do: post from many threads and say what was answered, or serve a city over HTTP."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from hebat.folder import Folder
from hebat.story_clock import StoryClock
from keys.clock import Day, UnixMs
from ledger import engine
from ledger.book import Ledger
from ledger.chart import Code, Partition, account_id
from ledger.errors import StorageError
from ledger.store import Database
from ledger.transfer import Flag
from tests.ledger.crash import disk
from tests.ledger.entries import CASH, OPERATOR, SUBSIDY, SetClock, transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.transfer import Transfer
    from ledger.writer import Posted

CLIENTS: Final = 6
PAUSE_SECONDS: Final = 0.02
POURED_AT_ONCE: Final = 4
ROWS: Final = (1, 2, 2, 3)
"""How many rows the units of each of a client's four kinds have: a transfer, a linked pair, a hold and its end, three transfers."""


def load() -> None:
    """Load, and compile, what takes seconds, once for all processes that are forked: by serving a small city for a moment."""
    from hebat.application import application  # noqa: PLC0415  seconds that only a nursery needs
    from hebat.demo import town  # noqa: PLC0415
    from hebat.wiring import City  # noqa: PLC0415
    from ledger.archive import taking as _archiving  # noqa: F401, PLC0415
    from ledger.exports import taking as _taking  # noqa: F401, PLC0415
    from tests.ledger.crash.traffic import make_traffic  # noqa: PLC0415
    from tests.ledger.desk import NOON  # noqa: PLC0415

    engine.warm()
    with TemporaryDirectory() as folder:
        traffic = make_traffic(Path(folder), 1)
        with City(Folder(traffic.template), town.CONFIGURATION, StoryClock(NOON)) as city:
            application(city)
            for bodies in traffic.bodies:
                city.intake.receive(bodies[0])


def purse_of(client: int) -> Any:
    """A purse of its own for each client; its uid in the journal is the client's number."""
    return account_id(Code.PURSE, Partition(3), 5000 + client)


def units_of(client: int, number: int) -> list[list[Transfer]]:
    """A client's n-th piece of work: the units that it sends one after another; of a hold, the second names the first's position."""
    purse, who = purse_of(client), partial(transfer, uid=client, tmc=number)
    kind = number % len(ROWS)
    if kind == 0:
        return [[who(CASH, purse, 500)]]
    if kind == 1:
        return [
            [
                who(purse, OPERATOR, 100, flags=Flag.LINKED),
                who(SUBSIDY, OPERATOR, 250),
            ]
        ]
    if kind == 2:
        how = Flag.POST_PENDING if number % 8 < len(ROWS) else Flag.VOID_PENDING
        return [
            [who(CASH, purse, 700, flags=Flag.PENDING)],
            [who(CASH, purse, 700, flags=how)],
        ]
    return [[who(purse, OPERATOR, amount) for amount in (1, 2, 3)]]


def rows_of(number: int) -> int:
    """How many rows a client's n-th piece of work has when it is whole."""
    return ROWS[number % len(ROWS)]


def _work(ledger: Ledger, client: int, out: int, pause: float) -> None:
    for number in range(1, 1 << 31):
        if not _piece(ledger, client, number, out):
            time.sleep(PAUSE_SECONDS)
        time.sleep(pause)


def _piece(ledger: Ledger, client: int, number: int, out: int) -> bool:
    """One piece of work; False where it was not answered for."""
    try:
        hold = 0
        for unit in units_of(client, number):
            transfers = [replace(one, hold=hold) for one in unit]
            posted = ledger.post(transfers, b"%d" % number if number % 5 == 0 else b"")
            hold = posted[0].position
            _say(out, client, number, posted)
    except StorageError as error:
        # Whether it is in the books is not known: a transfer without an identity is not sent again.
        _say(out, client, number, ())
        os.write(out, f"! {type(error).__name__}: {error}\n".encode())
        return False
    return True


def _say(out: int, client: int, number: int, posted: Sequence[Posted]) -> None:
    said = " ".join(str(one.position) for one in posted)
    os.write(out, f"{client} {number} {said}\n".encode())  # short enough to go out whole


def post(out: int, url: str, first: int, pause: float = 0, clients: int = CLIENTS) -> None:
    """Post as several clients, whose numbers count from `first`; each answer, or error, is said once it is there.

    `pause` is in seconds, after each piece of work.
    """
    ledger = Ledger.open(url, SetClock(_now()))
    os.write(out, b"open\n")
    threads = [
        threading.Thread(target=_work, args=(ledger, first + at, out, pause), daemon=True)
        for at in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pour(out: int, url: str, rows: int, batches: int) -> None:
    """Post batches of so many rows without waiting for each other's answers; each answer says its first and last position."""
    from tests.benchmarks.ledger_load import fares  # noqa: PLC0415  loaded already

    ledger = Ledger.open(url, SetClock(_now()))
    os.write(out, b"open\n")
    unit, waiting = ledger.columns(fares(rows)), deque[Any]()
    for _ in range(batches):
        with suppress(StorageError):
            waiting.append(ledger.writer.submit(unit))
        if len(waiting) == POURED_AT_ONCE:
            _say_span(out, waiting.popleft())
    for answer in waiting:
        _say_span(out, answer)


def _say_span(out: int, answer: Any) -> None:
    with suppress(StorageError):
        positions = answer.result().positions
        os.write(out, b"%d %d\n" % (positions[0], positions[-1]))


def _now() -> Any:
    return int(time.time() * 1000)


def post_on(out: int, url: str, fate: int, at: int, kinds: int = 3, error: int = 0, pieces: int = 3) -> None:
    """Post some pieces of work as one client on a disk to which something happens; says how many operations there were.

    With no pieces, it happens before the ledger is opened.
    """
    if not pieces:
        disk.arm(disk.Fate(fate), disk.Kind(kinds), at, error)
    try:
        ledger = Ledger.open(url, SetClock(_now()))
    except StorageError as refused:
        os.write(out, f"! {type(refused).__name__}: {refused}\n".encode())
        return
    os.write(out, b"open\n")
    disk.arm(disk.Fate(fate), disk.Kind(kinds), at, error)
    for number in range(1, pieces + 1):
        _piece(ledger, 1, number, out)
    os.write(out, b"# %d\n" % disk.seen())
    disk.arm(disk.Fate.NOTHING)
    _piece(ledger, 1, pieces + 1, out)
    ledger.close()


def post_mirrored(out: int, url: str, first: int, folder: str) -> None:
    """Post as several clients on a disk that keeps what was made durable."""
    disk.mirror(folder)
    post(out, url, first)


def serve(out: int, folder: str, url: str = "") -> None:
    """Serve a city over HTTP, on a database of its own where one is named; says its address, then nothing."""
    from hebat.application import application  # noqa: PLC0415  loaded already
    from hebat.demo import town  # noqa: PLC0415
    from hebat.serving import LoopbackServer  # noqa: PLC0415
    from hebat.wiring import City  # noqa: PLC0415
    from tests.ledger.crash.traffic import place  # noqa: PLC0415
    from tests.ledger.desk import NOON  # noqa: PLC0415

    with (
        City(place(Path(folder), url), town.CONFIGURATION, StoryClock(NOON)) as city,
        LoopbackServer(application(city)) as server,
    ):
        os.write(out, f"{server.address}\n".encode())
        signal.pause()


def take(_out: int, url: str, folder: str) -> None:
    """Take an export in."""
    from hebat.schema import TABLES  # noqa: PLC0415  as above
    from ledger.exports.taking import take as receive  # noqa: PLC0415

    receive(Database(url), TABLES, Path(folder))


def send(_out: int, url: str, folder: str) -> None:
    """Export a ledger."""
    from hebat.schema import TABLES  # noqa: PLC0415  as above
    from ledger.exports.sending import Wanted, export  # noqa: PLC0415

    export(Database(url), TABLES, Path(folder), Wanted())


def archive(_out: int, url: str, folder: str, until: int) -> None:
    """Archive business dates."""
    from ledger.archive.taking import archive as move  # noqa: PLC0415  as above

    move(Database(url), Day(until), Path(folder), SetClock(UnixMs(1_750_000_000_000)))


JOBS: Final[dict[str, Callable[..., None]]] = {
    "post": post,
    "post_on": post_on,
    "pour": pour,
    "post_mirrored": post_mirrored,
    "serve": serve,
    "take": take,
    "send": send,
    "archive": archive,
}
