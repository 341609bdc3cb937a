"""The project's own rules of form, measured: lengths, docstrings, words, links, error trees and the laws' tests."""

from __future__ import annotations

import ast
import gc
import os
import re
import statistics
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("card", "hebat", "keys", "ledger", "settlement", "terminals")
LAWS = range(1, 12)

FILE_LINES_MAX = 600
FILE_LINES_AIM = 400
FILE_LINES_MEDIAN_MAX = 150
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_AIM = 30
FUNCTION_LINES_MEDIAN_MAX = 10
FUNCTIONS_LONG_SHARE_MAX = 0.05
FILE_BYTES_MAX = 5_000_000

# Files over FILE_LINES_AIM, each with its reason.
LONG_FILES = {
    "run": "one file by design: it must work before anything is installed, in a checkout or copied out of it",
}

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|not implemented|placeholder|stub)\b", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|farm|root|tmp/bash)\b/")
ASSERTING = re.compile(r"^(assert|check|verify|expect|must|raises|fail|warns)|benchmark", re.IGNORECASE)
MONEY_NAME = re.compile(r"amount|balance|sen|fee|rupiah|price|fare", re.IGNORECASE)
LAW_TEST = re.compile(r"\bdef test_law_(\d\d)_\w+")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")
LEFT_BEHIND = {"var", "dist", "__pycache__"}
SWITCHES = {"skip", "skipif", "xfail"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}

MARKED = {"overload", "abstractmethod"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """A Python file of the project, parsed."""

    name: str
    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]

    @property
    def is_test(self) -> bool:
        return self.name.startswith("tests/")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]


@cache
def files() -> tuple[Path, ...]:
    """Files of the checkout, apart from what tools and runs leave behind (the folders that git ignores)."""
    found: list[Path] = []
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name == ".ci" or not (name[0] == "." or name in LEFT_BEHIND)]
        # a worktree has a file .git, which says where the repository is on this machine
        kept = [name for name in names if name != ".git" and not name.endswith((".pyc", ".nbi", ".nbc"))]
        found += [Path(folder, name) for name in kept]
    return tuple(sorted(found))


@cache
def sources() -> tuple[Source, ...]:
    """Python files of the checkout: modules, tests, and the script `run`."""
    python = [path for path in files() if path.suffix == ".py" or path == ROOT / "run"]
    named = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in python]
    gc.disable()  # it would look through a million nodes again and again, and none of them goes
    try:
        trees = [(name, text, ast.parse(text, name)) for name, text in named]
        return tuple(Source(name, text, tree, tuple(ast.walk(tree))) for name, text, tree in trees)
    finally:
        gc.enable()


@pytest.fixture(autouse=True, scope="module")
def trees_of_this_module() -> Iterator[None]:
    """No later test has to carry a million nodes along."""
    yield
    sources.cache_clear()


def product() -> list[Source]:
    return [source for source in sources() if not source.is_test]


def length_of(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def at(source: Source, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
    return f"{source.name}:{node.lineno}"


# Lengths


def test_no_file_is_over_its_bound() -> None:
    lengths = {source.name: len(source.lines) for source in sources()}
    assert {name: n for name, n in lengths.items() if n > FILE_LINES_MAX} == {}
    assert {name for name, n in lengths.items() if n > FILE_LINES_AIM} == set(LONG_FILES)


def test_files_are_short_on_the_whole() -> None:
    assert statistics.median(len(source.lines) for source in product()) <= FILE_LINES_MEDIAN_MAX


def test_no_function_is_over_its_bound() -> None:
    long = [
        f"{at(s, f)} {f.name}" for s in sources() for f in s.functions() if length_of(f) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_functions_are_short_on_the_whole() -> None:
    lengths = [length_of(function) for source in product() for function in source.functions()]
    assert statistics.median(lengths) < FUNCTION_LINES_MEDIAN_MAX
    assert sum(n > FUNCTION_LINES_AIM for n in lengths) <= FUNCTIONS_LONG_SHARE_MAX * len(lengths)


def test_no_file_is_too_big_for_a_repository() -> None:
    assert [str(path) for path in files() if path.stat().st_size > FILE_BYTES_MAX] == []


# Docstrings and names


def test_every_module_has_a_docstring() -> None:
    bare = [
        source.name for source in sources() if source.text.strip() and ast.get_docstring(source.tree) is None
    ]
    assert bare == []


def public_definitions(body: list[ast.stmt]) -> list[Function | ast.ClassDef]:
    """Public functions and classes of a module or class, and those of its public classes."""
    found: list[Function | ast.ClassDef] = []
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            found += public_definitions(node.body) if isinstance(node, ast.ClassDef) else []
    return found


def says_itself(definition: Function | ast.ClassDef) -> bool:
    """An overload, an override or a property's setter: documented where the thing itself is."""
    marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in definition.decorator_list}
    return bool(marks & {"overload", "override", "setter"})


def test_public_functions_and_classes_are_documented() -> None:
    bare = [
        f"{at(source, node)} {node.name}"
        for source in product()
        for node in public_definitions(source.tree.body)
        if not ast.get_docstring(node) and not says_itself(node)
    ]
    assert bare == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [
        source.name for source in sources() if VAGUE_NAMES & set(Path(source.name).with_suffix("").parts)
    ] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_errors_are_drawn_as_a_tree(package: str) -> None:
    """Each package has its errors in errors.py; the docstring draws every class of it, below its base."""
    tree = ast.parse((ROOT / package / "errors.py").read_text(encoding="utf-8"))
    drawn = (ast.get_docstring(tree) or "").splitlines()
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.bases]
    line_of = {
        n: i
        for n in [c.name for c in classes]
        for i, line in enumerate(drawn)
        if re.search(rf"\b{n}\b", line)
    }
    errors = [
        c
        for c in classes
        if c.name in line_of or not {"Enum", "IntEnum", "StrEnum"} & {ast.unparse(b) for b in c.bases}
    ]
    assert [c.name for c in errors if c.name not in line_of] == []
    for error in errors:
        for base in (ast.unparse(base) for base in error.bases):
            assert base not in line_of or line_of[base] < line_of[error.name]


# Words, paths and unfinished work


def test_nothing_is_left_unfinished() -> None:
    unfinished = [
        f"{source.name}:{number}: {line.strip()}"
        for source in product()
        for number, line in enumerate(source.lines, 1)
        if UNFINISHED.search(line)
    ]
    assert unfinished == []


def test_no_text_names_a_path_of_one_machine() -> None:
    named = {}
    for path in files():
        hit = MACHINE_PATH.search(path.read_text(encoding="utf-8", errors="ignore"))
        if hit:
            named[str(path.relative_to(ROOT))] = hit.group(0)
    assert named == {}


def is_empty(function: Function) -> bool:
    """True where a body holds nothing but a docstring, pass, or raise NotImplementedError."""
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return all(isinstance(s, ast.Pass) or _says_not_implemented(s) for s in body)


def _says_not_implemented(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == "NotImplementedError" for node in ast.walk(statement)
    )


def test_no_function_is_empty_but_those_of_protocols() -> None:
    empty: list[str] = []
    for source in product():
        classes = [node for node in source.nodes if isinstance(node, ast.ClassDef)]
        protocols = [node for node in classes if any("Protocol" in ast.unparse(base) for base in node.bases)]
        allowed = {id(member) for node in protocols for member in node.body}
        marked = {
            id(f) for f in source.functions() if MARKED & {ast.unparse(one) for one in f.decorator_list}
        }
        empty += [
            f"{at(source, f)} {f.name}"
            for f in source.functions()
            if is_empty(f) and id(f) not in allowed | marked
        ]
    assert empty == []


def test_no_handler_swallows_every_error() -> None:
    swallowing = [
        at(source, node)
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert swallowing == []


# Tests, laws and money


def asserts_something(test: Function) -> bool:
    """True where a test asserts, expects an error, or calls what by its name does."""
    for node in ast.walk(test):
        callee = node.func if isinstance(node, ast.Call) else None
        name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
        if isinstance(node, ast.Assert) or ASSERTING.search(name):
            return True
    return False


def test_every_test_can_fail() -> None:
    tests = [(s, f) for s in sources() if s.is_test for f in s.functions() if f.name.startswith("test")]
    assert [f"{at(source, test)} {test.name}" for source, test in tests if not asserts_something(test)] == []


def test_no_test_is_switched_off() -> None:
    off = [
        at(source, node)
        for source in sources()
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in SWITCHES
        if isinstance(node.value, ast.Attribute) and node.value.attr == "mark"
    ]
    assert off == []


@pytest.mark.parametrize("law", LAWS)
def test_every_law_has_a_test_named_after_it(law: int) -> None:
    """The laws of docs/architecture.md, by number: test_law_05_an_offline_debit_is_never_refused."""
    held = {int(number) for source in sources() if source.is_test for number in LAW_TEST.findall(source.text)}
    assert law in held


def test_law_01_no_float_stands_near_money() -> None:
    near = [
        at(source, node)
        for source in product()
        for node in source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
        if source.name.startswith(("ledger/", "settlement/"))
        and MONEY_NAME.search(source.lines[node.lineno - 1])
    ]
    assert near == []


# What the pages and the packaging say


def test_pages_link_to_files_that_exist() -> None:
    broken: list[str] = []
    for page in (path for path in files() if path.suffix == ".md"):
        for link in (markdown or html for markdown, html in LINK.findall(page.read_text(encoding="utf-8"))):
            target = link.partition("#")[0]
            if target and ":" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_every_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    lines = text.splitlines()
    assert [name for name in wanted if not any(f'"{name}"' in line and "# " in line for line in lines)] == []


def test_every_decision_has_a_number_of_its_own_and_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    numbers = [name[:4] for name in pages]
    assert sorted(number for number in numbers if numbers.count(number) > 1) == []
    assert [name for name in pages if f"decisions/{name}" not in index] == []


def test_the_title_of_every_decision_begins_with_the_number_of_its_page() -> None:
    pages = list((ROOT / "docs" / "decisions").glob("*.md"))
    titles = {page.name[:4]: page.read_text(encoding="utf-8").splitlines()[0] for page in pages}
    assert {number: title for number, title in titles.items() if not re.match(rf"# {number} ", title)} == {}


def test_the_page_of_the_shape_names_each_thing_once_in_a_table_and_only_what_is_there() -> None:
    """Twice where two changes were put together line by line: then one of them tells what is no longer so."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for table in page.split("\n\n"):
        heads = [row.split("|")[1].strip() for row in table.splitlines() if row.startswith("| ")]
        assert sorted(heads) == sorted(set(heads))
    known = {path.name for path in files()} | {path.parent.name for path in files()}
    modules = re.findall(r"`(?:[a-z_]+/)*([a-z_]+(?:\.py|/))`", page)
    assert len(modules) > 100
    assert sorted({name for name in modules if name.rstrip("/") not in known}) == []
