"""A real pcscd of the tests' own, with two slots of vsmartcard's virtual reader.

It listens on its own socket, handed to it as systemd would (sd_listen_fds), and its driver on ports of its own, so it meets neither the machine's pcscd nor another
test run. libpcsclite remembers the socket's name at its first call in a process, so there is one name for a whole run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from card import pcsc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SOCKET_VARIABLE = "PCSCLITE_CSOCK_NAME"
READER = "Test PCD"
SLOTS = (f"{READER} 00 00", f"{READER} 00 01")
WAIT_S = 60.0
TEST_S = 240.0
# PR_SET_PDEATHSIG: a pcscd does not outlive the tests that started it.
_AS_SYSTEMD = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Pcscd:
    """A pcscd in the foreground that can be killed and started again; the names of socket and readers stay. Its driver listens at two ports next to each other."""

    def __init__(self, folder: Path, port: int) -> None:
        self.socket = folder / "pcscd.comm"
        self.config = folder / "reader.conf.d"
        self.port = port
        self._log = folder / "pcscd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.config.mkdir()
        self.config.joinpath("vpcd").write_text(
            f'FRIENDLYNAME "{READER}"\nDEVICENAME /dev/null:{self.port}\nLIBPATH {DRIVER}\nCHANNELID {self.port}\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to talk to this pcscd."""
        return {**os.environ, SOCKET_VARIABLE: str(self.socket), "LC_ALL": "C"}

    @property
    def log(self) -> str:
        """What pcscd has said."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it (after a `kill` too) and wait until it is ready."""
        assert not self.running
        self.socket.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as line, self._log.open("wb") as log:
            line.bind(str(self.socket))
            line.listen(16)
            options = ["--foreground", "--info", "--config", str(self.config)]
            command = [sys.executable, "-ISc", _AS_SYSTEMD, str(line.fileno()), "pcscd", *options]
            self._process = subprocess.Popen(
                command, pass_fds=[line.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._ready, "pcscd is ready", self)

    def _ready(self) -> bool:
        assert self.running, f"pcscd has ended:\n{self.log}"
        return "daemon ready" in self.log

    @contextlib.contextmanager
    def unplugged(self) -> Iterator[None]:
        """The reader is not there: its driver finds its port taken."""
        with socket.create_server(("", self.port)):
            yield

    def kill(self) -> None:
        """kill -9: its socket's name stays behind, as it does on a till."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(WAIT_S)

    def stop(self) -> None:
        """End it and take its socket away."""
        self.kill()
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def until(holds: Callable[[], object], what: str, daemon: Pcscd | None = None) -> None:
    """Wait until something holds; fails with `what` and pcscd's log after WAIT_S."""
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, f"not seen: {what}\n{daemon.log if daemon else ''}"
        time.sleep(0.01)


def waited(reader: str | None = None) -> pcsc.PcscCard:
    """The card that lies in a reader, or is about to."""
    return pcsc.wait_for_card(reader, WAIT_S)


def missing() -> str:
    """What these tests lack on this machine; nothing where they can run."""
    if find_spec("smartcard") is None:
        return "pyscard (the extra 'reader')"
    if shutil.which("pcscd") is None:
        return "the Debian package pcscd"
    if not DRIVER.exists():
        return "the Debian package vsmartcard-vpcd"
    return "" if os.access("/run/pcscd", os.X_OK) or os.access("/run", os.W_OK) else "a folder /run/pcscd"


def need(lack: str) -> None:
    """Leave a test out where something is lacking; where the whole suite must run (CI=true), that is a failure."""
    if lack and os.environ.get("CI") == "true":
        pytest.fail(f"it needs {lack}")
    if lack:
        pytest.skip(f"it needs {lack}")
