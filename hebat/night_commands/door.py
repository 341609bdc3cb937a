"""A night, or a snapshot, beside a running server: the server's own process does it, for a shell that asks at a socket in the city's folder.

The ledger has one writer, and that stays so: nobody hands a lease over, and taps are posted before, between and behind the night's own
units. Who may ask is who may read the city's folder: the socket is its owner's alone, and the kernel says who calls.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import structlog

from hebat.configurations import configuration_now
from hebat.errors import NightCut, NightRefused, exit_code_of
from hebat.night_commands.work import Done, Wanted, carry_out
from keys.clock import Day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from hebat.wiring import City

SOCKET: Final = "night.sock"
ASKED_BYTES_MAX: Final = 1_000
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
ASK_SECONDS_MAX: Final = 10
END_SECONDS_MAX: Final = 15
"""How long a server that stops waits for the step that a night is in."""
SNAPSHOT: Final = "snapshot"
"""What is asked for instead of a night."""
_CREDENTIALS: Final = struct.Struct("3i")
_log = structlog.get_logger("hebat.night")


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The socket's name by way of its folder: a path of its own may be longer than the 107 bytes that a name may have (unix(7))."""
    number = os.open(folder, os.O_DIRECTORY | os.O_PATH)
    try:
        yield f"/proc/self/fd/{number}/{SOCKET}"
    finally:
        os.close(number)


class NightDoor:
    """Where a server is asked for nights, one after the other. A context manager beside the server's own."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._folder = city.folder.root
        self._stopping = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, name="night-door", daemon=True)

    def __enter__(self) -> Self:
        """Listen. The lease is ours, so that a socket that lies there is one that a killed server left."""
        (self._folder / SOCKET).unlink(missing_ok=True)
        with _address(self._folder) as name:
            self._socket.bind(name)
        (self._folder / SOCKET).chmod(0o600)
        self._socket.listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask no more; a night under way ends behind its step, and goes on when it is run again."""
        self._stopping.set()
        (self._folder / SOCKET).unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(END_SECONDS_MAX)
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            with line:
                self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        line.settimeout(ASK_SECONDS_MAX)
        try:
            wanted = _wanted(line)
        except Exception as error:  # noqa: BLE001  whatever came in, the door stays open for the next
            _log.warning("a night was asked for in no way that is known", reason=str(error))
            return
        if wanted is None:
            return
        if wanted == SNAPSHOT:
            _say(line, self._kept())
        else:
            _say(line, self._done(wanted, lambda step: self._told(line, step)))

    def _kept(self) -> dict[str, Any]:
        try:
            return {"position": self._city.ledger.snapshot(), "accounts": len(self._city.ledger.balances())}
        except Exception as error:  # noqa: BLE001  whoever asked is told, and the door stays open
            return _refused("snapshot not kept", error)

    def _told(self, line: socket.socket, step: str) -> None:
        if self._stopping.is_set():
            raise NightCut("the server is stopping: run the night again, it goes on where it was")
        _say(line, {"step": step})

    def _done(self, wanted: Wanted, told: Callable[[str], object]) -> dict[str, Any]:
        try:
            self._city.take_parties(configuration_now(self._city.folder, self._city.ledger.database))
            done = carry_out(self._city, wanted, told)
        except Exception as error:  # noqa: BLE001  whoever asked is told, and the server goes on
            return _refused("night not done", error)
        return {"nights": done.nights, "code": done.code}


def _refused(what: str, error: Exception) -> dict[str, Any]:
    """What is logged here, and told to who asked: he has no log of this process."""
    code = exit_code_of(error)
    _log.error(what, reason=str(error), code=code)
    return {"error": str(error), "code": code}


def _wanted(line: socket.socket) -> Wanted | Literal["snapshot"] | None:
    """What is asked for; None where another than this process's user, or root, asks."""
    told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    if _CREDENTIALS.unpack(told)[1] not in {0, os.geteuid()}:
        return None
    with line.makefile("rb") as asked:
        found = json.loads(asked.readline(ASKED_BYTES_MAX))
    if found == {SNAPSHOT: True}:
        return SNAPSHOT
    day = found["day"]
    return Wanted(
        None if day is None else Day(int(day)), bool(found["only_settle"]), bool(found.get("whole"))
    )


def _say(line: socket.socket, what: dict[str, Any]) -> None:
    """One line of JSON; who asked may have gone, and the night goes on."""
    with suppress(OSError):
        line.sendall(json.dumps(what).encode() + b"\n")


def asked(folder: Path, wanted: Wanted, told: Callable[[str], object]) -> Done | None:
    """Have the server that serves a folder do a night; None where none does.

    Raises NightRefused with what the server says against it, NightCut where it ended meanwhile.
    """
    for found in _answers(folder, asdict(wanted)):
        if "step" in found:
            told(found["step"])
        else:
            return Done(found["nights"], int(found["code"]))
    return None


def asked_for_snapshot(folder: Path) -> tuple[int, int] | None:
    """Have the server that serves a folder keep a snapshot: as of which position, and of how many accounts; None where none does.

    Raises as `asked` does.
    """
    for found in _answers(folder, {SNAPSHOT: True}):
        return int(found["position"]), int(found["accounts"])
    return None


def _answers(folder: Path, what: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the server that serves a folder answers, line by line; nothing where none does."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            with _address(folder) as name:
                line.connect(name)
        except OSError:
            return
        line.sendall(json.dumps(what).encode() + b"\n")
        with line.makefile("rb") as answer, suppress(ConnectionError):
            while said := answer.readline(ANSWER_BYTES_MAX):
                found: dict[str, Any] = json.loads(said)
                if "error" in found:
                    raise NightRefused(found["error"], int(found["code"]))
                yield found
    raise NightCut("the server ended meanwhile: run this again, it goes on where it was")
