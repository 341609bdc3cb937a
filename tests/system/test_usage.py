"""Options and words that a command cannot use: one sentence, exit code 2, and nothing drawn around it."""

from __future__ import annotations

import pytest

from tests.system.conftest import hebat

WRONG = {
    "serve": "--data is missing; `hebat serve --help` says what it is",
    "serve --prot 1": "there is no option --prot (is --port meant?); `hebat serve --help` lists those there are",
    "serve --data x --port abc": "--port is abc: a whole number is wanted; `hebat serve --help` says more",
    "serve --data": "--data needs a value behind it; `hebat --help` lists what there is",
    "serve --data x more": "more is more than it takes; `hebat serve --help` lists what there is",
    "demo --cards 3": "--cards is 3: 20 or more is wanted; `hebat demo --help` says more",
    "night --data x --date 2026-13-01": "--date is 2026-13-01: a day such as 2026-11-18 is wanted; `hebat night --help` says more",
    "nigt": "there is no command nigt (is night meant?); `hebat --help` lists what there is",
    "ledger exprot": "there is no command exprot (is export meant?); `hebat ledger --help` lists what there is",
}


@pytest.mark.parametrize("typed", WRONG)
def test_a_wrong_option_is_told_in_one_sentence_with_what_to_do(typed: str) -> None:
    ran = hebat(*typed.split())
    assert (ran.code, ran.out, ran.err) == (2, "", f"hebat: {WRONG[typed]}\n")


def test_of_a_long_value_the_beginning_is_quoted() -> None:
    ran = hebat("serve", "--data", "x", "--port", "z" * 5_000)
    assert ran.code == 2
    assert len(ran.err) < 200


def test_a_group_without_a_command_shows_what_it_has() -> None:
    ran = hebat("ledger")
    assert (ran.code, ran.err) == (2, "")
    assert "rebuild" in ran.out
