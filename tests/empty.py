"""Empty ledgers for tests: the tables of each set are made once by the ledger's own `create`, and copied from then on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2

from hebat import embedded
from ledger.book import Ledger
from ledger.store import Database

if TYPE_CHECKING:
    from ledger.store import TableSet


def new_ledger(url: str, *others: TableSet) -> Database:
    """An empty ledger in a new file, with the tables of other packages beside its own; closed by the caller."""
    database = Database(url)
    database.path.touch(mode=0o600, exist_ok=False)  # nobody has it open: see `Database.check_file`
    database.path.write_bytes(_file(others))
    return database


def new_database(server: Path, *others: TableSet, empty: bool = False) -> str:
    """The address of a new database in a PostgreSQL, by its socket's folder; `empty`: without a ledger's tables."""
    name = _database(server, "template1" if empty else _template(server, others))
    return embedded.address(server, name)


@cache
def _file(others: tuple[TableSet, ...]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        Ledger.create(f"sqlite:///{path}", *others).close()
        return path.read_bytes()


@cache
def _template(server: Path, others: tuple[TableSet, ...]) -> str:
    name = _database(server, "template1")
    Ledger.create(embedded.address(server, name), *others).close()
    return name


def _database(server: Path, template: str) -> str:
    name = f"ledger_{uuid4().hex[:12]}"
    connection = psycopg2.connect(host=str(server), user="postgres", dbname="postgres")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    finally:
        connection.close()
    return name
