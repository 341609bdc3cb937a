"""A server that does not own its database: it adds and reads, and can neither change nor take out what is in the journal."""

from __future__ import annotations

import ast
import importlib
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from card.layout import TapKind
from hebat.cli import app
from hebat.folder import Folder
from hebat.schema import CHANGED, KEPT, TABLES
from keys.clock import day_of, moment
from keys.identity import TerminalRole
from ledger import tables
from ledger.bundles.store import end_block
from ledger.errors import StorageError
from ledger.store import Database
from ledger.verify import verify
from tests.ledger.conftest import postgres  # noqa: F401  its server, for these tests too
from tests.ledger.desk import DAY, MERCHANT, open_scene
from tests.ledger.roles import Roles, made, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
JOURNAL = ("transfers", "blocks", "documents", "windows", "batches", "taps", "checkpoints", "staff_audit")
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def roles(postgres: Path) -> Roles:  # noqa: F811  the fixture
    return made(postgres, ledger=False)


@pytest.fixture(scope="module")
def served(roles: Roles, tmp_path_factory: pytest.TempPathFactory) -> Roles:
    """A city that its owner founded and a server without ownership opened: taps, a refusal, a night, another day."""
    root = tmp_path_factory.mktemp("city") / "city"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEBAT_DATABASE_URL", roles.owner)
        open_scene(Folder(root), fresh=True).city.__exit__(None, None, None)
        granted = RUNNER.invoke(app, ["ledger", "grant", roles.role, "--data", str(root), "--json"])
        assert granted.exit_code == 0, granted.output
        assert set(json.loads(granted.stdout)["changes"]) == set(CHANGED)
        patch.setenv("HEBAT_DATABASE_URL", roles.server)
        scene = open_scene(Folder(root), fresh=False)
        with scene.city as city:
            card = scene.card(loaded=50_000)
            till = scene.desk(2001, TerminalRole.MERCHANT, MERCHANT)
            till.tap(card, TapKind.SALE, 12_000)
            till.send()
            scene.clock.move_to(moment(datetime(2026, 11, 18, 23, 5)))  # noqa: DTZ001  the city's wall clock
            city.night.run(day_of(DAY))
            scene.clock.move_to(moment(datetime(2026, 11, 19, 9, 0)))  # noqa: DTZ001  as above
            till.tap(card, TapKind.SALE, 3_000)
            till.send()
    return roles


def test_intake_and_night_work_for_a_server_that_owns_nothing(served: Roles) -> None:
    database = Database(served.server)
    whole = verify(database)
    assert (whole.transfers > 3, whole.documents >= 3) == (True, True)
    database.close()


@pytest.mark.parametrize("table", JOURNAL)
def test_a_server_can_neither_change_nor_take_out_what_is_in_the_books(served: Roles, table: str) -> None:
    column = next(iter(_columns(table)))
    for statement in (
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"DROP TABLE {table}",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
    ):
        said = refused(served.server, statement)
        assert "permission denied" in said or "must be owner" in said, statement


def test_a_business_dates_own_table_is_no_way_around(served: Roles) -> None:
    day = f"transfers_{DAY:%Y%m%d}"
    for statement in (
        f"DELETE FROM {day}",
        f"UPDATE {day} SET amount = 1",
        f"INSERT INTO {day} SELECT * FROM {day}",
    ):
        assert "permission denied" in refused(served.server, statement)
    assert "must be owner" in refused(served.server, f"ALTER TABLE transfers DETACH PARTITION {day}")
    assert "must be owner" in refused(served.server, "DROP FUNCTION ledger_refuse() CASCADE")
    assert "permission denied" in refused(served.server, "SET session_replication_role = replica")


def test_nobody_else_may_begin_or_close_a_business_date(served: Roles, postgres: Path) -> None:  # noqa: F811  the fixture
    other = made(postgres, ledger=False).role
    stranger = served.server.replace(f"{served.role}@", f"{other}@")
    assert "permission denied" in refused(stranger, "SELECT ledger_open_day(30000)")
    assert "permission denied" in refused(stranger, "SELECT count(*) FROM transfers")


def test_the_owner_cannot_empty_the_journal_by_one_word_either(served: Roles) -> None:
    for table in ("transfers", "blocks", "documents", "windows"):
        assert "never changed" in refused(served.owner, f"TRUNCATE {table} CASCADE")
    assert "never changed" in refused(served.owner, "UPDATE documents SET body = '' WHERE block = 1")


def test_a_role_that_owns_the_books_or_is_not_there_is_refused(served: Roles) -> None:
    owner = served.role.replace("server", "owner")
    for role, said in (
        (owner, "owns the books"),
        ("postgres", "superuser"),
        ("nobody_here", "CREATE ROLE it first"),
    ):
        ran = RUNNER.invoke(app, ["ledger", "grant", role, "--database", served.owner])
        assert ran.exit_code != 0
        assert said in str(ran.exception)


def test_what_a_role_may_not_do_is_said_with_what_to_do(served: Roles) -> None:
    database = Database(served.server)
    with pytest.raises(StorageError, match="hebat ledger grant"), database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM blocks")
    with database.writing() as connection:
        end_block(connection, 0, 1, moment(datetime(2026, 11, 19)))  # noqa: DTZ001  as above
    database.close()


def test_an_upgrade_lets_the_same_roles_again(served: Roles) -> None:
    refused(served.owner, f"REVOKE ALL ON taps, bundles FROM {served.role}")
    assert "permission denied" in refused(served.server, "SELECT count(*) FROM taps")
    ran = RUNNER.invoke(app, ["ledger", "upgrade", "--database", served.owner])
    assert ran.exit_code == 0, ran.output
    assert refused(served.server, "SELECT count(*) FROM taps") == ""


# Every statement of the code that changes rows, held against what a server is let do

ARCHIVE_AND_IMPORT = {
    ("archives", "update"),
    ("documents", "delete"),
    ("transfers", "delete"),
    ("meta", "delete"),
}
"""What the archive and an import do, which come as the owner."""


def test_a_server_is_let_do_what_the_code_does_and_no_more() -> None:
    done = {(table, verb) for path in _stores() for table, verb in _changes(path)}
    let = {(table, verb.strip().lower()) for table, verbs in CHANGED.items() for verb in verbs.split(",")}
    assert done - ARCHIVE_AND_IMPORT == let


def test_only_tables_that_there_are_are_named() -> None:
    assert set(CHANGED) | {"archives"} <= set(_tables())
    assert not set(CHANGED) & {*JOURNAL, *KEPT}


def _tables() -> dict[str, Any]:
    return {name: table for one in (tables.metadata, *TABLES) for name, table in one.tables.items()}


def _columns(table: str) -> list[str]:
    return [column.name for column in _tables()[table].columns]


def _stores() -> list[Path]:
    found = [path for room in ("ledger", "settlement", "hebat") for path in (ROOT / room).rglob("*.py")]
    return [path for path in found if "migrations" not in path.parts]


def _changes(path: Path) -> Iterator[tuple[str, str]]:
    """Tables that a module's sa.update, sa.delete and insert that updates name, as the names stand there."""
    text = path.read_text(encoding="utf-8")
    if not any(word in text for word in ("sa.update(", "sa.delete(", ".on_conflict_do_update(")):
        return
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for function in (one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef)):
        names = dict(vars(module))
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Tuple):
                _assign(node, names)
            if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                names[node.target.id] = _value(node.iter, names)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"sa.update", "sa.delete"}:
                found = _value(node.args[0], names)
                for table in found if isinstance(found, tuple) else (found,):
                    yield table.name, ast.unparse(node.func)[3:]
            if isinstance(node, ast.Attribute) and node.attr == "on_conflict_do_update":
                assert isinstance(node.value, ast.Call)  # INSERT INTO a table that its call names
                yield _value(node.value.args[0], names).name, "update"


def _assign(node: ast.Assign, names: dict[str, Any]) -> None:
    target = node.targets[0]
    pairs = (
        zip(target.elts, node.value.elts, strict=True)
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
        else [(target, node.value)]
    )
    for one, value in pairs:
        if isinstance(one, ast.Name):
            names[one.id] = _value(value, names)


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    """What stands there, where it is made of the module's own names; None for all else."""
    plain = all(isinstance(one, ast.Name | ast.Attribute | ast.Tuple | ast.Load) for one in ast.walk(node))
    try:
        return eval(ast.unparse(node), names) if plain else None
    except NameError:
        return None
