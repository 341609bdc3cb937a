"""What a reviewer is to find documented is what the tree has: ways in, keys, classes of data, lines outside, logs. A new one that no page names fails here."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

import pytest
from fastapi import FastAPI

from hebat.application import application
from hebat.folder import Folder
from hebat.schema import TABLES
from keys import citytoken
from keys.vault import Role
from ledger import tables as journal
from ledger.cardholder import web as holders_web
from settlement.console.console import Console
from tests.fuzz.api import _routes
from tests.ledger.desk import open_scene
from tests.test_security_constructions import calls, importers, nodes
from tests.test_security_figures import section
from tests.test_tidy import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.wiring import City

NAMES: Final = re.compile(r"`([^`]+)`")
OPERATIONS: Final = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
KEYS: Final = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    scene = open_scene(Folder(tmp_path_factory.mktemp("documented") / "city"), fresh=True)
    with scene.city:
        yield scene.city


def table(text: str, heads: str) -> list[list[str]]:
    """The rows of the table that begins with these heads."""
    rows = text.partition(f"| {heads} |\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert rows, heads
    return [[cell.strip() for cell in row.strip().strip("|").split(" | ")] for row in rows]


# V6.1.3: ways of signing in

WAYS: Final = table(section("Ways in"), "who | proves it by | at")


def way_of(path: str) -> str:
    """Who comes in at an address."""
    fits = [who for who, _, at in WAYS for place in NAMES.findall(at) if f"{path}/".startswith(f"{place}/")]
    assert len(fits) == 1, (path, fits)
    return fits[0]


def test_every_address_of_the_server_is_behind_one_of_the_ways_in(city: City) -> None:
    framework = application(city).application
    assert isinstance(framework, FastAPI)
    paths = {route.path for route in _routes(framework.routes)}
    described = framework.openapi()["paths"]
    token = {
        path for path, ways in described.items() if any(one.get("security") for one in ways.values())
    }  # fmt: skip
    assert len(paths) > 100
    assert {path for path in described if way_of(path) == "a partner's program"} == token
    console = {page.path for page in Console(city.staff_desk).pages}
    assert {way_of(path) for path in console} == {"staff"}
    holders = {route.path for route in _routes(holders_web.router(city.cardholders).routes)}
    assert {way_of(path) for path in holders} - {"anybody"} == {"a card's holder"}
    used = {way_of(path) for path in paths}
    assert used | {"a bank"} == {who for who, _, _ in WAYS}


def test_every_way_in_that_the_page_tells_is_an_address_of_the_server(city: City) -> None:
    framework = application(city).application
    assert isinstance(framework, FastAPI)
    paths = [route.path for route in _routes(framework.routes)]
    told = [place for _, _, at in WAYS for place in NAMES.findall(at)]
    nowhere = {place for place in told if not any(f"{path}/".startswith(f"{place}/") for path in paths)}
    assert nowhere == {"/banks"}, "which are there in a city with lines to banks"
    assert '"/banks/' in (ROOT / "settlement" / "banks" / "api.py").read_text(encoding="utf-8")


# V11.1.1, V11.1.2: keys


def listed() -> dict[str, str]:
    """What each key of the page may do."""
    rows = table(KEYS, "key | may | for | replaced")
    return {name: may for names, may, _, _ in rows for name in NAMES.findall(names)}


def test_every_key_of_a_city_is_listed_with_what_it_may_do(city: City) -> None:
    held = {one.label: one.purpose.value for one in city.vault.contents()}
    assert len(held) >= 14
    told = listed()
    assert {name: told.get(name) for name in held} == held
    beside = {citytoken.SEAL.label, citytoken.BRIDGE.label, "transport"}
    assert told.keys() == held.keys() | beside


def labels() -> set[str]:
    """The names that the code has for keys: labels, and literal names of keys."""
    made = {
        node.args[0].value
        for _, node in calls("KeyName")
        if node.args and isinstance(node.args[0], ast.Constant)
    }
    named = {
        node.value.value
        for _, node in nodes()
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        and re.fullmatch(r"([A-Z]+_)?LABEL|TRANSPORT", ast.unparse(node.target))
    }  # fmt: skip
    return {str(one) for one in made | named}


def test_every_key_that_the_code_names_is_listed() -> None:
    found = labels()
    assert len(found) >= 9
    assert {role.value for role in Role} | found == listed().keys()


# V14.1.1, V14.1.2: classes of data


def test_every_table_of_the_database_is_of_one_class_that_says_what_it_is_due() -> None:
    told = section("What is kept of people")
    rows = table(told, "class | tables")
    held = [name for _, names in rows for name in NAMES.findall(names)]
    known = {name for metadata in (journal.metadata, *TABLES) for name in metadata.tables}
    assert sorted(held) == sorted(known)
    assert [name for name, _ in rows] == [
        name for name, *_ in table(told, "class | what | protected by | kept for")
    ]
    assert all(all(row) for row in table(told, "class | what | protected by | kept for"))


def test_what_is_sealed_or_hashed_lies_in_tables_whose_class_says_so() -> None:
    of = {name: kind for kind, names in table(section("What is kept of people"), "class | tables") for name in NAMES.findall(names)}  # fmt: skip
    columns = [
        (table_, one.name)
        for metadata in TABLES
        for table_ in metadata.tables.values()
        for one in table_.columns
    ]
    sealed = {table_.name for table_, name in columns if name in {"sealed", "words"}}
    secret = {
        table_.name
        for table_, name in columns
        if name in {"password", "hash", "token_digest", "secret", "authenticator"}
    }
    assert {of[name] for name in sealed} == {"personal"}
    assert {of[name] for name in secret - {"cards"}} == {"secret"}


# V13.1.1: lines outside

LINES: Final = {
    "ledger/bulk/copies.py": "PostgreSQL",
    "ledger/explaining/store.py": "PostgreSQL",
    "settlement/banks/wire.py": "banks' SNAP interfaces",
    "settlement/console/scanning.py": "clamd",
    "terminals/enrolment.py": "at the address that it was enrolled with",
    "terminals/opening.py": "at the address that it was enrolled with",
    "terminals/upload.py": "at the address that it was enrolled with",
    "card/virtual/vpcd.py": "a simulated card",
    "hebat/cards/profiling.py": "a rehearsal",
    "hebat/cards/simulating.py": "a simulated card",
    "hebat/demo/play.py": "`hebat demo`",
    "hebat/load/commands.py": "`hebat load`",
    "hebat/simulate/certificates.py": "`hebat simulate`",
    "hebat/simulate/machine.py": "`hebat simulate`",
    "hebat/simulate/network.py": "`hebat simulate`",
    "hebat/simulate/rogue.py": "`hebat simulate`",
}
"""Modules that open a line, and the words of the page for it."""
LISTENING: Final = {"hebat/serving.py", "hebat/night_commands/door.py"}
"""Modules that wait for lines."""
NETWORK: Final = (
    "socket", "socketserver", "ssl", "http.client", "http.server", "urllib.request", "ftplib", "smtplib", "imaplib", "poplib", "telnetlib",
    "xmlrpc", "nntplib", "httpx", "httpx2", "requests", "aiohttp", "urllib3", "websockets", "psycopg2", "psycopg", "paramiko",
)  # fmt: skip


def test_every_module_that_opens_a_line_is_one_of_a_line_that_the_page_tells() -> None:
    told = OPERATIONS.partition("## Every line outside\n")[2].partition("\n## ")[0]
    assert importers(*NETWORK) - TLS_ALONE == LINES.keys() | LISTENING
    assert {words for words in LINES.values() if words not in told} == set()


TLS_ALONE: Final = {"hebat/load/driving.py"}
"""Lines of its command, which stands above."""


# V15.1.1: times for mending; V16.1.1: every log

UNITS: Final = sorted(path.stem for path in (ROOT / "deploy" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS)
def test_the_log_of_every_unit_is_in_the_list(unit: str) -> None:
    told = OPERATIONS.partition("## Every log\n")[2].partition("\n## ")[0]
    assert f"`journalctl -u {unit}`" in told


def test_every_table_that_is_a_log_is_in_the_list_and_every_one_of_the_list_is_there() -> None:
    rows = table(OPERATIONS.partition("## Every log\n")[2], "log | what | kept")
    known = {name for metadata in (journal.metadata, *TABLES) for name in metadata.tables}
    named = {name for log, *_ in rows for name in NAMES.findall(log) if not name.startswith("journalctl")}
    assert named == {name for name in known if name.endswith("_audit")} | {
        "documents",
        "quarantine",
        "refused",
    }
    assert named <= known
    assert all(all(row) for row in rows)


def test_the_time_for_each_weakness_is_told_and_the_audit_runs_often_enough_to_keep_the_shortest() -> None:
    rows = table(
        OPERATIONS.partition("## Advisories, and the time for each\n")[2], "weakness | mended within"
    )
    days = [int(found[1]) for _, within in rows if (found := re.match(r"(\d+) days\Z", within))]
    assert len(rows) == 4
    assert days == sorted(days)
    assert len(days) == 3
    timer = (ROOT / "deploy" / "systemd" / "hebat-audit.timer").read_text(encoding="utf-8")
    assert "OnCalendar=*-*-* " in timer, "each day, which is sooner than the shortest time"
    assert min(days) > 1
