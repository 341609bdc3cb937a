"""`hebat settlement write-offs`: the limit shown, set and taken away, with author and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hebat.errors import InputRefused
from tests.hebat.settlement_desk import Shell, open_shell

if TYPE_CHECKING:
    from pathlib import Path

WHO = ("--by", "checker", "--reason", "the mayor's letter")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return open_shell(tmp_path / "city")


def test_a_limit_is_shown_as_it_was_set_last(shell: Shell) -> None:
    assert "There is no limit." in shell.ran("write-offs", "show")
    said = shell.ran("write-offs", "set", "50000", *WHO)
    assert "at most Rp50.000 in one entry (version 1, by checker)" in said
    assert "At most Rp50.000" in shell.ran("write-offs", "show")
    shell.ran("write-offs", "set", "7500.50", *WHO)
    assert shell.told("write-offs", "show") == {"at_most_sen": 7_500_50}
    assert "anything may be written off (version 3" in shell.ran("write-offs", "set", "none", *WHO)
    assert shell.told("write-offs", "show") == {"at_most_sen": None}


def test_what_is_no_amount_sets_no_limit(shell: Shell) -> None:
    with pytest.raises(InputRefused, match="is no amount"):
        shell.ran("write-offs", "set", "1e6", *WHO)
    assert shell.told("write-offs", "show") == {"at_most_sen": None}
