"""Names of downloads are safe in their header and in a folder, whatever they were made of."""

from __future__ import annotations

import ast
import re
from email.message import Message
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.cardholder.answers import saved
from ledger.http.attached import NAME_CHARACTERS_MAX, attachment
from settlement.console.calls import download
from tests.test_tidy import PACKAGES, ROOT

SAFE: Final = re.compile(r'attachment; filename="[A-Za-z0-9_-][A-Za-z0-9._-]*"\Z')


@given(st.text(max_size=300))
@example('x"; filename="y.exe')
@example("a\r\nSet-Cookie: b=c")
@example("../../etc/passwd")
@example("...")
@example("")
def test_a_downloads_name_stays_a_name(name: str) -> None:
    told = attachment(name)["Content-Disposition"]
    assert SAFE.match(told)
    read = Message()
    read["Content-Disposition"] = told
    kept = read.get_filename()
    assert kept is not None
    assert 0 < len(kept) <= NAME_CHARACTERS_MAX


@pytest.mark.parametrize(
    "name", ["night-2026-11-18.xlsx", "UNRELEASED-PDJTIDJ1-20261118-1.xml", "tap-3.json"]
)
def test_a_name_of_ours_is_as_it_was(name: str) -> None:
    assert attachment(name) == {"Content-Disposition": f'attachment; filename="{name}"'}


def test_both_makers_of_downloads_name_them_so() -> None:
    told = attachment('a"b')["Content-Disposition"]
    assert download(b"", 'a"b').headers["Content-Disposition"] == told
    assert saved(b"", "text/plain", 'a"b').headers["Content-Disposition"] == told


def test_no_other_module_names_a_download() -> None:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    naming = {
        str(path.relative_to(ROOT))
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value).lower().startswith(("content-disposition", "attachment;"))
    }  # fmt: skip
    assert naming == {"ledger/http/attached.py"}
