"""Somebody at a terminal, for tests of commands that ask for secrets."""

from __future__ import annotations

import base64
import os
import pty
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from keys.softkey import check_value
from tests.system.ready import BEFORE, ROOT, Started

if TYPE_CHECKING:
    from pathlib import Path

WAIT_S = 60
PASSPHRASE = "correct horse battery staple"
VALUES = [bytes(range(at, at + 16)) for at in (0x31, 0x52, 0x73)]


class Typist:
    """Somebody at a terminal of their own, who answers what is asked."""

    def __init__(self, *arguments: str | Path, before: str = "", cold: bool = False) -> None:
        """Runs `hebat`; `before` is a program that is run first, in the same process. `cold`: in a Python that starts for it."""
        self._terminal, theirs = pty.openpty()
        at: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
        if cold:
            command = ["setsid", "--ctty", sys.executable, "-m", "hebat.cli", *map(str, arguments)]
            self._process: subprocess.Popen[str] = subprocess.Popen(command, cwd=ROOT, text=True, **at)
        else:
            self._process = Started(*arguments, env=os.environ | {BEFORE: before}, **at)
        os.close(theirs)
        self.seen = b""
        self._from = 0

    def answer(self, asked: str, text: str) -> None:
        self.until(asked)
        os.write(self._terminal, text.encode() + b"\n")

    def until(self, asked: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while asked.encode() not in self.seen[self._from :]:
            assert time.monotonic() < deadline, self.seen
            assert self._read(), (asked, self.seen)
        self._from = self.seen.index(asked.encode(), self._from) + len(asked)
        time.sleep(
            0.05
        )  # the prompt stands before the echo is off only where the program is wrong: give it the chance

    def _read(self) -> bool:
        try:
            ready = select.select([self._terminal], [], [], 1.0)[0]
            data = os.read(self._terminal, 65_536) if ready else b" "
        except OSError:  # the other side has gone
            return False
        self.seen += data if ready else b""
        return bool(data)

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._terminal)
        return self._process.wait(WAIT_S)

    @property
    def pid(self) -> int:
        """The process that asks."""
        started = self._process
        return started.command_pid if isinstance(started, Started) else started.pid


def shown(secrets: list[bytes], data: bytes) -> list[bytes]:
    """The secrets that stand in some bytes, raw, in hexadecimal or in base64."""
    lowered = data.lower()
    return [
        one
        for one in secrets
        if one in data or one.hex().encode() in lowered or base64.b64encode(one).rstrip(b"=") in data
    ]


def give(typist: Typist, number: int, check: str = "") -> None:
    value = VALUES[number]
    typist.answer("Custodian", f"custodian {number}")
    typist.answer("Second person", "Witness A")
    typist.answer("hexadecimal digits): ", value.hex())
    typist.answer("Its check value", check or check_value(value).hex())
