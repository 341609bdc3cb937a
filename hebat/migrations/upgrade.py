"""Bring a database to the newest schema: forward, whole or not at all, also where nobody noted which schema it has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ledger.errors import DatabaseMissing, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Probe = Callable[[sa.Inspector], bool]
_NOTED: Final = sa.table("alembic_version", sa.column("version_num"))


def upgrade(url: str, revision: str = "head") -> None:
    """Run every step that the database lacks; a database that is up to date stays as it is."""
    with _connection(url) as connection:
        command.upgrade(_configuration(connection), revision)


def stamp(url: str) -> None:
    """Note that a database that was just made has the newest schema."""
    with _connection(url) as connection:
        command.stamp(_configuration(connection), "head")


def migrate(url: str) -> tuple[str, str]:
    """Upgrade a ledger that may be of any age: the revision that it had, and the one that it has now.

    Raises DatabaseMissing where there is none. A step that fails takes back the steps before it.
    """
    with _connection(url) as connection:
        configuration, before = _configuration(connection), noted(connection)
        if before is None:
            before = _recognised(sa.inspect(connection))
            command.stamp(configuration, before)
        command.upgrade(configuration, "head")
        return before, newest()


@cache
def newest() -> str:
    """The newest revision that this release has; looked for once, as all steps are loaded for it."""
    return str(ScriptDirectory(str(Path(__file__).parent)).get_current_head())


def noted(connection: sa.Connection) -> str | None:
    """The revision that the database says it has; None where it says none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.select(_NOTED.c.version_num)).scalar()


def require_newest(connection: sa.Connection) -> None:
    """Raise StorageError, with what to do, where the database notes another revision than the newest."""
    found, wanted = noted(connection), newest()
    if found is not None and found != wanted:
        do = "run `hebat ledger upgrade`" if found < wanted else "install a newer release"
        raise StorageError(f"the database has schema {found}, this release wants {wanted}: {do}")


def _configuration(connection: sa.Connection) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent))
    configuration.attributes["connection"] = connection
    return configuration


@contextmanager
def _connection(url: str) -> Iterator[sa.Connection]:
    """A connection in one transaction, schema changes included: SQLite's driver would commit them one by one."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _plain)
        sa.event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _plain(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _table(name: str) -> Probe:
    return lambda inspector: inspector.has_table(name)


def _column(table: str, name: str) -> Probe:
    def probe(inspector: sa.Inspector) -> bool:
        return inspector.has_table(table) and name in {one["name"] for one in inspector.get_columns(table)}

    return probe


def _trigger(name: str) -> Probe:
    asked = {
        "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = :name",
        "postgresql": "SELECT 1 FROM pg_trigger WHERE tgname = :name AND tgrelid = to_regclass('documents')",
    }

    def probe(inspector: sa.Inspector) -> bool:
        bind = inspector.bind
        assert isinstance(bind, sa.Connection)  # noqa: S101  `_recognised` looks through one
        return bind.execute(sa.text(asked[bind.dialect.name]), {"name": name}).first() is not None

    return probe


def _allows_rules(inspector: sa.Inspector) -> bool:
    return any("12" in str(one["sqltext"]) for one in inspector.get_check_constraints("transfers"))


def _keys_of_days(inspector: sa.Inspector) -> bool:
    """Whether PostgreSQL's days have keys of their own; a file of SQLite is the same before and after."""
    named = inspector.get_pk_constraint("transfers")["name"]
    return inspector.dialect.name == "postgresql" and named is None


_SIGNS: Final[tuple[tuple[str, Probe], ...]] = (
    ("0052", _keys_of_days),
    ("0051", _table("wallet_refunds")),
    ("0050", _table("known_counters")),
    ("0049", _trigger("documents_stay")),
    ("0029", _table("wallet_loads")),
    ("0028", _table("intake_explanations")),
    ("0027", _table("saving_links")),
    ("0026", _table("wallet_transfers")),
    ("0025", _table("night_reports")),
    ("0024", _column("loads", "sale_sequence")),
    ("0023", _table("bank_payments")),
    ("0022", _table("payment_releases")),
    ("0021", _table("settlement_nets")),
    ("0020", _table("settlement_matchings")),
    ("0019", _table("archives")),
    ("0018", _column("statement_files", "remarks")),
    ("0017", _table("card_pins")),
    ("0016", _table("staff_audit")),
    ("0015", _table("settlement_rules")),
    ("0014", _table("rides")),
    ("0013", _table("snapshots")),
    ("0012", _table("terminal_moves")),
    ("0011", _allows_rules),
    ("0010", _table("checkpoints")),
    ("0009", _table("clients")),
    ("0008", _column("cards", "key_versions")),
    ("0007", _table("vault_records")),
    ("0004", _table("terminal_certificates")),
    ("0006", _table("bundles")),
    ("0005", _column("loads", "state")),
    ("0003", _table("settlements")),
    ("0002", _table("cards")),
    ("0001", _table("transfers")),
)
"""By what a database that notes no revision shows which it has, newest first in the order of the steps (0004 comes after 0006). Ledgers made since 0013 note it."""


def _recognised(inspector: sa.Inspector) -> str:
    if not inspector.has_table("transfers"):
        raise DatabaseMissing("there is no ledger in this database: make one with `hebat ledger init`")
    return next(revision for revision, sign in _SIGNS if sign(inspector))
