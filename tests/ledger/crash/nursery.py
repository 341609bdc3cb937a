"""A process that has everything loaded, and forks the servers that tests kill: a real process each, without its start-up.

Run as `python -m tests.ledger.crash.nursery FD`. It answers on a socket: a job with the pipe that it may write to gives a process id; a
process id gives how that process ended. Whatever it forked dies with it, and it dies with who started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

ROOT: Final = Path(__file__).resolve().parents[3]
MESSAGE_MAX: Final = 1 << 16
DYING: Final = ("setpriv", "--pdeathsig", "KILL")
"""Before a command: have the kernel kill the program once who started it has ended, however that ended."""
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """Have the kernel kill this process once its parent has ended, however that ended (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Victim:
    """A process to kill, and what it says."""

    nursery: Nursery
    pid: int
    said: BinaryIO
    ended: int | None = field(default=None, init=False)

    def line(self) -> bytes:
        """The next thing it says; b"" where it says nothing more."""
        return self.said.readline()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """How it ended: its exit code, or the signal's number below zero."""
        if self.ended is None:
            self.ended = self.nursery.ended(self.pid)
        return self.ended

    def kill(self) -> list[bytes]:
        """Kill it, and what it had still said. The last line may be cut off: what was not said whole was not said."""
        self.signal(signal.SIGKILL)
        lines = [line for line in self.said if line.endswith(b"\n")]
        self.said.close()
        assert self.wait() == -signal.SIGKILL
        return lines


class Nursery:
    """The tests' end of it."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.ledger.crash.nursery", str(theirs.fileno())]
        quiet = {"OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, pass_fds=[theirs.fileno()], env=os.environ | quiet | (environment or {})
        )
        theirs.close()
        self._alive: list[Victim] = []

    def start(self, job: str, **arguments: Any) -> Victim:
        """Fork a process that does a job of `tests.ledger.crash.jobs`."""
        reading, writing = os.pipe()
        said = json.dumps({"job": job, "arguments": arguments}).encode()
        socket.send_fds(self._socket, [said], [writing])
        os.close(writing)
        victim = Victim(self, int(self._socket.recv(MESSAGE_MAX)), os.fdopen(reading, "rb"))
        self._alive.append(victim)
        return victim

    def ended(self, pid: int) -> int:
        """Wait for a process, and how it ended."""
        self._socket.send(json.dumps({"wait": pid}).encode())
        return int(self._socket.recv(MESSAGE_MAX))

    def clear(self) -> None:
        """Kill what still runs."""
        for victim in self._alive:
            if victim.ended is None:
                victim.signal(signal.SIGKILL)
                victim.signal(signal.SIGCONT)
                victim.wait()
            victim.said.close()
        self._alive.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        self._socket.close()
        self._process.wait(20)


def _forked(said: dict[str, Any], writing: int, listener: socket.socket) -> int:
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid
    code = 1
    try:
        die_with_parent()
        listener.close()
        from tests.ledger.crash import jobs  # noqa: PLC0415  loaded already; here for the parent's sake

        jobs.JOBS[said["job"]](writing, **said["arguments"])
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Load everything, then fork on demand until the socket is closed."""
    die_with_parent()
    listener = socket.socket(fileno=int(sys.argv[1]))
    from tests.ledger.crash import jobs  # noqa: PLC0415  what takes seconds is loaded once

    jobs.load()
    while True:
        data, fds, _, _ = socket.recv_fds(listener, MESSAGE_MAX, 1)
        if not data:
            return
        said = json.loads(data)
        if "wait" in said:
            _, status = os.waitpid(said["wait"], 0)
            listener.send(str(os.waitstatus_to_exitcode(status)).encode())
        else:
            listener.send(str(_forked(said, fds[0], listener)).encode())


if __name__ == "__main__":
    main()
