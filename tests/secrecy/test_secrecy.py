"""The watch over the tests' secrets can see: what is planted in a run of its own is named, test by test, and never shown."""

from __future__ import annotations

import base64
import functools
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.secrecy.making import ADDRESS, WATCHED, Watch
from tests.secrecy.search import BASE64, HEX, Search, in_texts, is_plain

ROOT = Path(__file__).parents[2]
PLANTED = {
    ("test_print", "captured stdout", "vault key"),
    ("test_print_in_groups", "captured stdout", "vault key"),
    ("test_log", "captured log", "vault key"),
    ("test_capsys", "captured output", "vault key"),
    ("test_capfd_of_a_process", "captured output", "vault key"),
    ("test_command", "a command's output", "vault key"),
    ("test_process_run", "a process's output", "vault key"),
    ("test_process_line_by_line", "a process's output", "vault key"),
    ("test_made_and_printed_by_a_child", "a process's output", "vault key"),
    ("test_file_raw", "file kept", "vault key"),
    ("test_file_far_in", "file kept", "vault key"),
    ("test_file_base64[0]", "file kept", "vault key"),
    ("test_file_base64[1]", "file kept", "vault key"),
    ("test_file_base64[2]", "file kept", "vault key"),
    ("test_file_of_a_child_that_was_killed", "file kept", "vault key"),
    ("test_file_of_a_fork", "file kept", "vault key"),
    ("test_failure", "a failure's report", "vault key"),
    ("test_vault_key", "captured stdout", "vault key"),
    ("test_passphrase", "captured stdout", "passphrase"),
    ("test_component", "captured stdout", "component"),
    ("test_share", "captured stdout", "share"),
    ("test_session_key", "captured stdout", "session key"),
    ("test_terminal", "captured stdout", "terminal key"),
    ("test_terminal", "file elsewhere", "terminal secret"),
}
LEAK = re.compile(r"LEAK \S*::(\S+): a (.+) in (.+)")
FAILS = "test_failure"
"""The one whose secret pytest itself shows."""


def nested(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The planted tests, in a pytest that knows nothing of this one's watch."""
    environment = {name: value for name, value in os.environ.items() if name not in {ADDRESS, "PYTHONPATH"}}
    target = str(ROOT / "tests" / "secrecy" / "planted.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(folder)]
    return subprocess.run(
        [*command, target, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_every_planted_secret_is_named_by_test_kind_and_channel_and_none_is_shown(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    ran = nested(tmp_path / "run", "-k", f"not {FAILS}", *workers)
    found = {(test, channel, kind) for test, kind, channel in LEAK.findall(ran.stdout)}
    assert found == {one for one in PLANTED if one[0] != FAILS}, ran.stdout + ran.stderr
    assert (ran.returncode, "passed" in ran.stdout, "failed" in ran.stdout) == (1, True, False)
    assert re.findall(r"[0-9a-fA-F]{32}", ran.stdout + ran.stderr) == []


def test_a_secret_that_a_failure_shows_is_named_too(tmp_path: Path) -> None:
    ran = nested(tmp_path / "run", "-k", FAILS)
    (test, kind, channel) = next(iter(LEAK.findall(ran.stdout)))
    assert (test, channel, kind) in PLANTED


def test_a_run_without_a_leak_passes_and_says_how_many_secrets_it_looked_for(tmp_path: Path) -> None:
    ran = nested(tmp_path / "run", "-k", "test_nothing_is_said")
    assert ran.returncode == 0, ran.stdout
    told = re.search(r"(\d+) secrets were made; none of them came out", ran.stdout)
    assert told is not None
    assert int(told[1]) >= 5


def test_a_function_that_is_watched_no_more_is_an_error() -> None:
    for name in WATCHED:
        Watch(lambda *_: None).find_spec(name, None)
        module = importlib.import_module(name)
        for path, _, _ in WATCHED[name]:
            watched = functools.reduce(getattr, path.split("."), module)
            assert "tests/secrecy/making.py" in watched.__code__.co_filename, path


@settings(max_examples=30)
@given(st.binary(min_size=16, max_size=40), st.binary(max_size=9), st.binary(max_size=9), st.integers(0, 2))
def test_a_secret_is_found_in_each_of_its_forms_and_no_other(
    secret: bytes, before: bytes, behind: bytes, cut: int
) -> None:
    assume(not is_plain(secret))
    text = before + secret + behind
    forms = [text, text.hex().encode(), text.hex(" ").upper().encode(), b"a" * cut + text.hex().encode()]
    coded = [base64.b64encode(text), base64.urlsafe_b64encode(text), base64.encodebytes(text)]
    coded += [b"=" + one[len(before) * 4 // 3 // 4 * 4 :] for one in coded]
    other = bytes(one ^ 0xFF for one in secret)
    search = Search({secret: "key", other: "other"})
    for form in (*forms, *coded):
        assert search.found(form) == {secret: "key"}
        assert search.found(form[: len(form) // 3]) == {}


@given(
    st.lists(st.sampled_from([b"a", b"0", b"-:", b"g", b"\0", b"0f F" * 4, b"abcZ_" * 3]), max_size=40).map(
        b"".join
    )
)
def test_runs_are_those_that_a_regular_expression_finds(text: bytes) -> None:
    assert HEX.of(text) == re.findall(rb"[0-9A-Fa-f: ]{16,}", text)
    assert BASE64.of(text) == re.findall(rb"[A-Za-z0-9+/_-]{11,}", text)


def test_values_that_everybody_knows_are_no_secrets() -> None:
    known = [bytes(16), bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")]
    known += [b"short", b"\x00\x01\x02\x03" * 4]
    assert len(Search(dict.fromkeys(known, "key"))) == 0
    vector = bytes.fromhex("f3f9377698707b688eaf84abe39e3791")
    assert in_texts([vector, bytes(16)], [b"x F3F9377698707B688EAF84ABE39E3791"]) == {vector}
