"""A process that has everything loaded and forks a process for each `hebat` command that a test runs (see `launcher`).

Run as `python -m tests.system.ready SOCKET`. It and all that it forked end with who started it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import httpcore2

from tests.authorities_once import make_authorities_once
from tests.commands_once import make_commands_once
from tests.ledger.crash.nursery import die_with_parent

ROOT: Final = Path(__file__).resolve().parents[2]
LAUNCHER: Final = str(Path(__file__).with_name("launcher.py"))
LOADED: Final = (
    "hebat.cli", "hebat.application", "hebat.configurations", "hebat.serving", "hebat.night_commands.door", "hebat.verifying",
    "hebat.demo.day", "hebat.demo.figures", "hebat.demo.screen", "hebat.cards.counter", "ledger.exports.sending",
    "terminals.screen.web", "terminals.station",
)  # fmt: skip
"""Modules of commands, with all that they import: each takes a command up to three seconds."""
_MESSAGE_MAX: Final = 1 << 18
_WAITING_MAX: Final = 16
_BEGIN_S_MAX: Final = 60
_PEER: Final = struct.Struct("iII")
BEFORE: Final = "HEBAT_TESTS_BEFORE"
"""The variable with a program that is run first in the command's process."""


class Ready:
    """The tests' end: started when the first command is run, ended with the tests."""

    def __init__(self) -> None:
        self._folder = mkdtemp(prefix="kshrd")  # a socket's path has at most 107 bytes
        self._door = f"{self._folder}/door"
        command = [sys.executable, "-m", "tests.system.ready", self._door]
        quiet = {"OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ | quiet)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def command(self, *arguments: str) -> list[str]:
        """What runs `hebat` with these arguments."""
        return [sys.executable, "-I", "-S", LAUNCHER, self._door, *arguments]

    def pid_of(self, launcher: subprocess.Popen[Any]) -> int:
        """The process of the command that a launcher stands for; waits until it is there."""
        late = time.monotonic() + _BEGIN_S_MAX
        while launcher.poll() is None and time.monotonic() < late:
            with contextlib.suppress(FileNotFoundError):
                return int(_note(self._door, launcher.pid).read_text(encoding="ascii"))
            time.sleep(0.002)
        raise ProcessLookupError(f"{launcher.args!r} runs no command")

    def end(self) -> None:
        """End the process, and take its socket away."""
        self._process.terminate()
        self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def ready() -> Ready:
    """The process that commands are forked from: one for all tests of a run, begun when it is first needed."""
    made = Ready()
    atexit.register(made.end)
    return made


class Started(subprocess.Popen[str]):
    """A `hebat` command that goes on beside the test: it is the command that is signalled and killed, not the launcher that stands for it."""

    def __init__(self, *arguments: str | Path, **options: Any) -> None:
        command = ready().command(*map(str, arguments))
        super().__init__(command, cwd=ROOT, text=True, **options)

    @property
    def command_pid(self) -> int:
        """The command's own process."""
        return ready().pid_of(self)

    def send_signal(self, sig: int) -> None:
        """Signal the command; nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.command_pid, sig)


def _note(door: str, launcher: int) -> Path:
    """Where the process of a launcher's command stands while it runs."""
    return Path(f"{door}.{launcher}")


def load() -> None:
    """What takes commands long to load."""
    for name in LOADED:
        importlib.import_module(name)
    from typer.main import get_command  # noqa: PLC0415  what `make_commands_once` has put there

    from hebat.cli import app  # noqa: PLC0415
    from ledger import warming  # noqa: PLC0415

    get_command(app)
    httpcore2.default_ssl_context()
    warming.warm()
    gc.collect()
    gc.freeze()  # what is loaded is not looked at again: forks go on sharing its memory


def _serve(guest: socket.socket) -> None:
    """In a process of its own: fork the command, and tell how it ended."""
    die_with_parent()
    data, fds, _, _ = socket.recv_fds(guest, _MESSAGE_MAX, 3)
    folder, count, *told = data.decode(errors="surrogateescape").split("\0")
    arguments, environment = told[: int(count)], told[int(count) :]
    pid = os.fork()
    if pid == 0:
        guest.close()
        _become(fds, folder, arguments, environment)
    for one in fds:
        os.close(one)
    guest.send(str(pid).encode())
    note = _noted(guest, pid)
    _, status = os.waitpid(pid, 0)
    note.unlink()
    guest.send(str(os.waitstatus_to_exitcode(status)).encode())


def _noted(guest: socket.socket, pid: int) -> Path:
    """Whoever holds the launcher can ask which process does the work."""
    launcher, _, _ = _PEER.unpack(guest.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    note = _note(sys.argv[1], launcher)
    half = note.with_suffix(f"{note.suffix}-")
    half.write_text(str(pid), encoding="ascii")
    return half.replace(note)


def _become(fds: list[int], folder: str, arguments: list[str], environment: list[str]) -> None:
    die_with_parent()
    os.setsid()  # the terminal of whoever runs the tests is not the command's
    # A module that was loaded for another command may have taken it over.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, one in enumerate(fds):
        os.dup2(one, number)
        os.close(one)
    if os.isatty(0):
        with contextlib.suppress(OSError):  # somebody else's terminal stays theirs
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update((name, value) for name, _, value in (one.partition("=") for one in environment))
    tempfile.tempdir = None  # what was found before is another environment's
    sys.argv = ["hebat", *arguments]
    os._exit(_run())


def _run() -> int:
    """The command to its end, with all that Python does at the end of a program."""
    from hebat.start import main  # noqa: PLC0415  loaded already

    code = 0
    try:
        exec(os.environ.pop(BEFORE, ""), {})
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  as the interpreter does
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def main() -> None:
    """Load everything, then fork on demand until who started this ends."""
    die_with_parent()
    make_commands_once()
    make_authorities_once()
    load()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(sys.argv[1])
        door.listen(_WAITING_MAX)
        os.write(1, b"ready\n")
        while True:
            guest, _ = door.accept()
            while _gone():
                pass
            if os.fork() == 0:
                door.close()
                _serve(guest)
                os._exit(0)
            guest.close()


def _gone() -> bool:
    """Take leave of one that has ended, if there is one."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    main()
