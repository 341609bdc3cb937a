"""A ledger in PostgreSQL whose tables belong to one role, and a server that comes as another."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import sqlalchemy as sa

from hebat.migrations.upgrade import stamp
from hebat.schema import CHANGED, KEPT, TABLES
from ledger.granting import store
from ledger.store import Database

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Roles:
    """The addresses under which a ledger's owner and its server come."""

    owner: str
    server: str
    role: str


def made(postgres: Path, *, ledger: bool = True) -> Roles:
    """Two roles and a database of theirs; with an empty ledger that the server was let serve."""
    name = f"roles_{uuid4().hex[:10]}"
    owner, server = f"{name}_owner", f"{name}_server"
    with closing(psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {owner} LOGIN")
            cursor.execute(f"CREATE ROLE {server} LOGIN")
            cursor.execute(f"CREATE DATABASE {name} OWNER {owner}")
    of_owner, of_server = (f"postgresql+psycopg2://{one}@/{name}?host={postgres}" for one in (owner, server))
    roles = Roles(of_owner, of_server, server)
    if ledger:
        database = Database(roles.owner)
        database.create(*TABLES)
        stamp(roles.owner)
        with database.transaction() as opened:
            store.grant(opened, server, CHANGED, KEPT)
        database.close()
    return roles


def refused(url: str, statement: str) -> str:
    """What the database says against a statement; "" where it does it."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        return str(error.orig).splitlines()[0]
    finally:
        engine.dispose()
    return ""
