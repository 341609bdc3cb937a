"""Letting a PostgreSQL role serve a ledger that it does not own: it adds and reads everywhere, and changes only what is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from ledger.closing.days import FUNCTIONS
from ledger.errors import RoleRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Connection = sa.Connection

_ROLE: Final = sa.text(
    "SELECT rolsuper OR pg_has_role(rolname, (SELECT relowner FROM pg_class WHERE oid = to_regclass('transfers')), 'MEMBER') "
    "FROM pg_roles WHERE rolname = :role"
)
_SERVING: Final = sa.text(
    "SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee "
    "WHERE c.oid = to_regclass('transfers') AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner ORDER BY 1"
)
_OWNED: Final = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
_DAY: Final = "transfers_"
"""What the name of a business date's own table begins with: it is reached through `transfers` only."""


def serving(connection: Connection) -> list[str]:
    """The roles that were let serve this ledger."""
    if connection.dialect.name != "postgresql":
        return []
    return list(connection.execute(_SERVING).scalars())


def grant(connection: Connection, role: str, changed: Mapping[str, str], kept: Sequence[str]) -> list[str]:
    """Let a role serve: rows are added and read in every table but the `kept` ones (read only), and changed in those of `changed` only.

    `changed` says UPDATE, DELETE or both for a table. What the role had before is taken first; the tables that it may change are given
    back. Raises RoleRefused where there is no such role, or where it owns the books: nothing could be kept from it.
    """
    if connection.dialect.name != "postgresql":
        raise RoleRefused(
            "a SQLite file has no roles: who can write the file owns the books (PostgreSQL has them)"
        )
    owner = connection.execute(_ROLE, {"role": role}).scalar()
    if owner is None:
        raise RoleRefused(f"there is no role {role!r}: CREATE ROLE it first, with LOGIN and a password")
    if owner:
        raise RoleRefused(
            f"{role!r} owns the books, or is a superuser: nothing can be kept from it; take another role"
        )
    named = sa.sql.compiler.IdentifierPreparer(connection.dialect).quote(role)
    for statement in _statements(connection, named, changed, kept):
        connection.exec_driver_sql(statement)
    return sorted(changed)


def _statements(
    connection: Connection, role: str, changed: Mapping[str, str], kept: Sequence[str]
) -> list[str]:
    schema = str(connection.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one())
    there = [name for name in connection.execute(_OWNED).scalars() if not name.startswith(_DAY)]
    added = [name for name in there if name not in kept]
    return [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON {', '.join(there)} TO {role}",
        f"GRANT INSERT ON {', '.join(added)} TO {role}",
        *(f"GRANT {verbs} ON {name} TO {role}" for name, verbs in changed.items() if name in there),
        *(f"GRANT EXECUTE ON FUNCTION {one} TO {role}" for one in FUNCTIONS),
    ]
