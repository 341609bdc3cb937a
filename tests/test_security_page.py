"""The page on security says what is there: each row of the standard once, each test that it names, each file, and the figures above the table."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from typing import Final

from tests.test_tidy import ROOT

PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROW: Final = re.compile(r"^\| (V[\d.]+(?:, V[\d.]+)*) \| ([12]) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
SOURCE: Final = re.compile(r"`((?:card|hebat|keys|ledger|settlement|terminals|deploy)/[\w/.-]+)`")
ROWS: Final = 253
"""ASVS 5.0.0 has 70 rows of level 1 and 183 of level 2."""
LEVEL_1: Final = 70
KINDS: Final = {
    "documented: ": "documented", "by construction: ": "by construction", "**in part**: ": "in part", "does not apply: ": "that do not apply",
    "**not held**: ": "not held", "`tests/": "by tests",
}  # fmt: skip


def rows() -> list[tuple[str, str, str]]:
    """Number, level and what holds it, of each row."""
    return [(one, level, held) for many, level, _, held in ROW.findall(PAGE) for one in many.split(", ")]


@cache
def functions(name: str) -> frozenset[str]:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def kind_of(held: str) -> str:
    return next(word for begins, word in KINDS.items() if held.startswith(begins))


def test_each_row_of_the_standard_is_there_once_with_its_level() -> None:
    numbers = [number for number, _, _ in rows()]
    assert [number for number, times in Counter(numbers).items() if times > 1] == []
    assert len(numbers) == ROWS
    assert sum(level == "1" for _, level, _ in rows()) == LEVEL_1
    order = [[int(part) for part in number[1:].split(".")] for number in numbers]
    assert order == sorted(order)


def test_each_test_that_the_page_names_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 100
    assert {name for name, _ in named if not (ROOT / name).exists()} == set()
    assert {(name, test) for name, test in named if test and test not in functions(name)} == set()


def test_each_source_that_the_page_names_is_there() -> None:
    assert {name for name in SOURCE.findall(PAGE) if not (ROOT / name).exists()} == set()


def test_the_figures_above_the_table_are_those_of_the_table() -> None:
    counted = Counter(kind_of(held) for _, _, held in rows())
    told = re.search(r"^All 253 rows\. (.+?)\. A row", PAGE, re.MULTILINE)
    assert told is not None
    assert {word: int(count) for count, word in re.findall(r"(\d+) ([a-z ]+)", told[1])} == dict(counted)


def test_what_is_not_held_says_why() -> None:
    assert all(len(held.split()) > 6 for _, _, held in rows() if kind_of(held) in {"not held", "in part"})
