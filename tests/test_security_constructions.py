"""What the page on security says is so *by construction*, looked for over the whole tree: it fails where somebody builds otherwise."""

from __future__ import annotations

import ast
import gc
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.test_tidy import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVED: Final = ("ledger/cardholder", "settlement/console", "terminals/screen")
"""Where what a browser is sent lies."""
HTMX: Final = "settlement/console/static/htmx.min.js"
"""Somebody else's; a test of the console holds its digest against the published one."""


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the packages, parsed, by its path."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    gc.disable()  # as in `test_tidy`: none of them goes
    try:
        return tuple((name, node) for name, tree in trees().items() for node in ast.walk(tree))
    finally:
        gc.enable()


def calls(of: str) -> Iterator[tuple[str, ast.Call]]:
    """The calls of what has such a name, whatever it is a member of."""
    named = re.compile(f"({of})\\Z")
    return (
        (name, node) for name, node in nodes() if isinstance(node, ast.Call) and named.match(_last(node.func))
    )


def _last(called: ast.expr) -> str:
    return (
        called.attr
        if isinstance(called, ast.Attribute)
        else called.id
        if isinstance(called, ast.Name)
        else ""
    )


def imports(node: ast.AST) -> set[str]:
    """The modules that a node imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {str(node.module)}
    return set()


def importers(*modules: str) -> set[str]:
    """The files that import one of these modules, or a part of one."""
    return {
        name
        for name, node in nodes()
        if any(one == module or one.startswith(f"{module}.") for one in imports(node) for module in modules)
    }


# V1.2.4: SQL with parameters

SQL: Final = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|DROP|ALTER|TRUNCATE|COPY|SET|LOCK|GRANT|REVOKE|PRAGMA|ATTACH) "
)
FORMATTED: Final = {
    "ledger/archive/stored/store.py": {"table", "LOCK_MS_MAX"},
    "ledger/bulk/store.py": {"table.name", "_listed(names)", "marks"},
    "ledger/closing/days.py": {"arguments"},
    "ledger/closing/guards.py": {"name", "verb", "table", "when", "condition", "TOLD"},
    "ledger/fencing/store.py": {"WHOLE", "NUMBER", "IDLE_SECONDS_MAX", "LOCK_SECONDS_MAX"},
    "ledger/granting/store.py": {"schema", "role", "', '.join(there)", "', '.join(added)", "verbs", "name", "one"},
    "ledger/orders/store.py": {"','.join(AnswerRow._fields)", "WHOLE"},
    "ledger/rows/store.py": {
        "_NAMES", "_WITHIN", "_SELECT", "','.join('?' * len(_COLUMNS))", "','.join(COLUMNS)", "' UNION ALL '.join(_TOPS)",
        "number", "first", "last", "select",
    },
    "ledger/watch/store.py": {"WHOLE", "TERMINALS", "BLOCKS"},
    "settlement/breaks/tables.py": {"table", "act", "why"},
    "settlement/guards.py": {"table", "name", "verb", "_SETTLED", "TOLD"},
    "settlement/partner_bank/books.py": {"column", "','.join('?' * len(row))"},
    "settlement/staff/tables.py": {"verb"},
}  # fmt: skip
"""What stands in SQL that is put together: names of our own tables and columns, numbers, signs for values; a role and a schema as the database itself quotes them."""

ADDED: Final = {("settlement/partner_bank/books.py", "_SCHEMA"), ("terminals/shifts.py", "refunds.SCHEMA")}
"""Constants of ours."""


def formatted() -> dict[str, set[str]]:
    """By file, what is formatted into texts that begin like SQL."""
    found: dict[str, set[str]] = {}
    for name, node in nodes():
        if "/migrations/" not in name and isinstance(node, ast.JoinedStr) and _is_sql(node.values[:1]):
            parts = (part.value for part in node.values if isinstance(part, ast.FormattedValue))
            found.setdefault(name, set()).update(ast.unparse(part) for part in parts)
    return {name: told for name, told in found.items() if told}


def _is_sql(first: list[ast.expr]) -> bool:
    return bool(
        first and isinstance(first[0], ast.Constant) and SQL.match(f"{str(first[0].value).upper()} ") is not None
    )  # fmt: skip


def test_no_text_from_outside_stands_in_sql() -> None:
    assert formatted() == FORMATTED


def test_no_sql_is_put_together_of_texts_in_another_way() -> None:
    added = {
        (name, ast.unparse(node.right))
        for name, node in nodes()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add) and _is_sql([node.left])
    }
    assert added == ADDED
    filled = {
        name
        for name, node in calls("format")
        if isinstance(node.func, ast.Attribute) and _is_sql([node.func.value])
    }
    assert filled == set()


# V1.4.1: memory is Python's

REACHES_MEMORY: Final = {
    "hebat/allocating.py",  # one call of the C library, which tells its allocator what to keep
    "keys/hardening.py",  # calls of the C library, by which a process takes from others the right to read it, and ends with its parent
    "ledger/bulk/native.py",  # integers into SQLite, in columns whose shape is the statement's
    "ledger/columns.py",  # columns that grow in place: an anonymous mapping, which NumPy bounds
    "hebat/simulate/disk/shim.py",  # the simulator's disk
}


def test_no_module_reaches_past_pythons_memory_but_those_that_are_named() -> None:
    assert importers("ctypes", "cffi", "_ctypes", "mmap") == REACHES_MEMORY


def test_no_package_has_code_that_a_c_compiler_would_take() -> None:
    native = {".c", ".cc", ".cpp", ".h", ".pyx", ".pxd", ".so", ".a", ".o", ".rs", ".dll", ".dylib"}
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    assert len(files) > 500
    assert [str(path.relative_to(ROOT)) for path in files if path.suffix in native] == []


# V3.2.2, V3.7.1, V6.2.6, V6.2.7, V15.3.6: what a browser is sent


def sent(*endings: str) -> dict[str, str]:
    """Our files of these kinds that a browser is sent, by name."""
    paths = (path for folder in SERVED for path in (ROOT / folder).rglob("*") if path.suffix in endings)
    told = {str(path.relative_to(ROOT)): path for path in paths}
    return {name: path.read_text(encoding="utf-8") for name, path in told.items() if name != HTMX}


SCRIPTS: Final = {
    "ledger/cardholder/static/verify.js",
    "settlement/console/static/console.js",
    "terminals/screen/screen.js",
}
MARKUP: Final = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|createContextualFragment|DOMParser|document\.write|srcdoc"
    r"|\beval\b|\bFunction\b|javascript:|set(Timeout|Interval)\(\s*[\"'`]|setAttribute\(\s*[\"'`](on|href|src|style)"
)
PASTING: Final = re.compile(r"paste|beforeinput|[\"'](copy|cut|contextmenu)[\"']|clipboard", re.IGNORECASE)
ASSIGNED: Final = re.compile(r"([\w.]+)\[([^\]\[]+)\]\s*=(?![=>])")
"""An assignment to a member whose name is computed."""
BYTES: Final = {("made", "at")}
"""Places of an array of bytes, counted by a loop."""


def test_scripts_are_the_three_that_are_ours_and_one_that_was_published() -> None:
    assert sent(".js", ".mjs", ".ts", ".wasm").keys() == SCRIPTS
    assert (ROOT / HTMX).exists()


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_sets_text_and_makes_no_markup_of_it(name: str) -> None:
    text = sent(".js")[name]
    assert "textContent" in text
    assert [found[0] for found in MARKUP.finditer(text)] == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_script_sets_a_member_whose_name_came_from_outside(name: str) -> None:
    text = sent(".js")[name]
    assert {(of, at) for of, at in ASSIGNED.findall(text) if of not in {"const", "let"}} <= BYTES
    assert re.search(r"__proto__|Object\.(assign|defineProperty|setPrototypeOf)|\bReflect\b", text) is None


def test_a_key_that_is_pressed_finds_no_member_that_is_not_the_scripts_own() -> None:
    text = sent(".js")["settlement/console/static/console.js"]
    assert text.count("KEYS[event.key]") == text.count("Object.prototype.hasOwnProperty.call(KEYS, event.key) ? KEYS[event.key]") == 1  # fmt: skip


class Tags(HTMLParser):
    """Every tag of a template, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(re.sub(r"\{%.*?%\}", " ", text, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags() -> list[tuple[str, str, dict[str, str | None]]]:
    return [(name, *one) for name, text in sent(".html").items() for one in Tags(text).found]


DEAD: Final = {
    "applet", "object", "embed", "frame", "frameset", "iframe", "marquee", "blink", "bgsound", "isindex", "keygen", "param",
}  # fmt: skip


def test_no_page_needs_a_technology_that_browsers_have_given_up() -> None:
    assert len(tags()) > 500
    assert [(name, tag) for name, tag, _ in tags() if tag in DEAD] == []
    ours = {Path(name).suffix for name in (*sent(".html", ".js", ".css", ".svg"), HTMX)}
    files = [path for folder in SERVED for path in (ROOT / folder).rglob("*") if path.is_file()]
    others = {path.suffix for path in files if "__pycache__" not in path.parts} - ours
    assert others == {".py", ".md", ".LICENSE", ".po"}


def test_no_page_has_a_script_or_a_style_in_it() -> None:
    scripts = [(name, told) for name, tag, told in tags() if tag == "script"]
    assert all(told.get("src", "") for _, told in scripts)
    assert [name for name, tag, told in tags() if tag == "style" or "style" in told] == []
    assert [(name, one) for name, _, told in tags() for one in told if one.startswith("on")] == []


UNESCAPED: Final = {"settlement/console/templates/authenticator.html": ["picture"]}
"""The QR code of an authenticator, which `settlement/staff/codes.py` draws."""
MARKUP_MADE: Final = {"ledger/cardholder/holding.py": ["html.decode()"]}
"""What a template of ours has escaped already."""


def test_nothing_is_put_into_a_page_unescaped_but_what_is_named() -> None:
    unescaped = {name: re.findall(r"(\w+)\s*\|\s*safe", text) for name, text in sent(".html").items()}
    assert {name: told for name, told in unescaped.items() if told} == UNESCAPED
    assert [name for name, text in sent(".html").items() if "autoescape" in text] == []
    made: dict[str, list[str]] = {}
    for name, node in calls("Markup"):
        if not _is_constant(node.args):
            made.setdefault(name, []).extend(ast.unparse(argument) for argument in node.args)
    assert made == MARKUP_MADE


def _is_constant(arguments: list[ast.expr]) -> bool:
    return all(isinstance(argument, ast.Constant) for argument in arguments)


def test_every_maker_of_pages_escapes_by_itself() -> None:
    made = [
        (name, {word.arg: ast.unparse(word.value) for word in node.keywords})
        for name, node in calls(".*Environment")
    ]
    assert len(made) >= 2
    assert [name for name, words in made if words.get("autoescape") != "True"] == []


PASSWORDS: Final = {
    ("settlement/console/templates/anew.html", "password"),
    ("settlement/console/templates/password.html", "old"),
    ("settlement/console/templates/password.html", "new"),
    ("settlement/console/templates/password.html", "again"),
    ("settlement/console/templates/sign_in.html", "password"),
    ("ledger/cardholder/templates/scan.html", "pin"),
}


def test_every_field_for_a_password_or_a_pin_hides_it_and_lets_a_managers_paste_in() -> None:
    fields = [(name, told) for name, tag, told in tags() if tag == "input"]
    hidden = {(name, told.get("name")) for name, told in fields if told.get("type") == "password"}
    named = {
        (name, told.get("name"))
        for name, told in fields
        if told.get("name") in {"password", "pin", "old", "new", "again"}
        or str(told.get("autocomplete")).endswith("-password")
    }
    assert hidden == named == PASSWORDS
    staff = [told for name, told in fields if told.get("type") == "password" and "console" in name]
    assert all(str(told.get("autocomplete")).endswith("-password") for told in staff)


def test_nothing_of_ours_listens_to_a_paste() -> None:
    assert {name: found[0] for name, text in sent(".js", ".html").items() if (found := PASTING.search(text))} == {}  # fmt: skip


# V11.5.1: dice are for what protects nothing

DICE: Final = {
    "hebat/demo/plan.py", "hebat/issuing.py", "hebat/load/driving.py", "hebat/load/kit.py", "hebat/load/schedule.py",
    "hebat/simulate/banking.py", "hebat/simulate/certificates.py", "hebat/simulate/disk/volume.py", "hebat/simulate/disk/shim.py",
    "hebat/simulate/entropy.py", "hebat/simulate/healing.py", "hebat/simulate/machine.py", "hebat/simulate/municipal.py",
    "hebat/simulate/nights.py", "hebat/simulate/planning.py", "hebat/simulate/play.py", "hebat/simulate/server.py",
    "hebat/simulate/striking.py", "hebat/simulate/tapping.py", "hebat/simulate/arming.py", "hebat/simulate/world.py",
    "settlement/partner_bank/faults.py", "terminals/pump.py",
}  # fmt: skip
"""A rehearsal's plans, a load's arrivals, a simulated bank's faults, and how long a terminal waits before it tries again."""


def test_dice_that_can_be_foretold_are_where_they_are_named_and_nowhere_else() -> None:
    assert importers("random", "numpy.random") == DICE
    members = (
        (name, node) for name, node in nodes() if isinstance(node, ast.Attribute) and node.attr == "random"
    )
    assert [name for name, node in members if ast.unparse(node) in {"np.random", "numpy.random"}] == []


# V16.2.3: logs go to standard error, and nowhere else

HANDLERS: Final = r"\w*(Stream|File|Socket|Syslog|SysLog|HTTP|SMTP|Queue|Memory|Event)Handler|\w*(Print|Write|Bytes)Logger\w*|(basic|file|dict)Config"


def test_one_module_says_where_logs_go_and_it_is_standard_error() -> None:
    called = [(name, ast.unparse(node)) for name, node in calls(HANDLERS)]
    assert called == [("hebat/logs.py", "structlog.PrintLogger(sys.stderr)")]
    assert importers("syslog", "logging.handlers", "logging.config") == set()
    assert importers("logging") == {"hebat/logs.py", "hebat/bank_commands/simulating.py"}
