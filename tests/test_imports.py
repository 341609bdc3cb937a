"""Imports: one that stands late, inside a function, spares the loading of what is seldom needed. None hides a cycle."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from tests.test_tidy import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    Import = ast.Import | ast.ImportFrom

BLOCKS: Final = (ast.stmt, ast.excepthandler, ast.match_case)
"""What imports stand in: no expression holds one."""
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def modules() -> dict[str, list[tuple[bool, Import]]]:
    """The imports of each of our modules, a package by its own name."""
    found = {}
    for path in sorted(one for package in PACKAGES for one in (ROOT / package).rglob("*.py")):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[dotted.removesuffix(".__init__")] = list(imports(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def imports(node: ast.AST, *, late: bool = False) -> Iterator[tuple[bool, Import]]:
    """Whether each import stands inside a function, and the import; those for types alone are none."""
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.Import | ast.ImportFrom):
            yield late, below
        elif isinstance(below, BLOCKS) and not _is_for_types(below):
            yield from imports(below, late=late or isinstance(below, FUNCTIONS))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def ours(node: Import) -> set[str]:
    """Which of our modules an import names."""
    if isinstance(node, ast.Import):
        named = {one.name for one in node.names}
    else:
        named = {str(node.module), *(f"{node.module}.{one.name}" for one in node.names)}
    return named & modules().keys()


def in_circles() -> list[tuple[str, str]]:
    """Late imports of what loads the module that they stand in."""
    loads = {
        one: {name for late, node in found if not late for name in ours(node)}
        for one, found in modules().items()
    }
    late = [
        (one, name) for one, found in modules().items() for late, node in found if late for name in ours(node)
    ]
    brought = {name: _closure(name, loads) for _, name in late}
    return [(one, name) for one, name in late if one in brought[name]]


def _closure(module: str, loads: dict[str, set[str]]) -> set[str]:
    """A module, and all that its loading loads."""
    found, asked = set[str](), [module]
    while asked:
        one = asked.pop()
        if one not in found:
            found.add(one)
            asked += loads[one]
    return found


def test_no_import_is_late_because_what_it_imports_imports_it_back() -> None:
    assert in_circles() == []


@pytest.mark.parametrize(("last", "found"), [("import a", [("c", "a")]), ("import e", [])])
def test_an_import_that_hides_a_cycle_would_be_found(
    monkeypatch: pytest.MonkeyPatch, last: str, found: list[tuple[str, str]]
) -> None:
    texts = {"a": "import b", "b": "from c import d", "c": f"def d():\n    {last}", "e": "import json"}
    parsed = {name: list(imports(ast.parse(text))) for name, text in texts.items()}
    monkeypatch.setitem(globals(), "modules", lambda: parsed)
    assert in_circles() == found
