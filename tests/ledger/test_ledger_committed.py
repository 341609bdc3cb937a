"""What readers see, apart from any engine: a table of accounts, and what is published of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from keys.money import Sen
from ledger import cells, places
from ledger.balance import NOTHING, Balance
from ledger.chart import AccountId
from ledger.columns import Columns
from ledger.committed import Committed, Sealed
from ledger.rules import AccountRules, RuleFlag, default_rules
from tests.ledger.entries import OPERATOR, PURSE, WALLET

if TYPE_CHECKING:
    import numpy.typing as npt

FROZEN = AccountRules(RuleFlag.DEBITS_FROZEN)


@pytest.fixture
def accounts() -> Columns:
    return Columns(cells.ACCOUNT_WIDTH)


@pytest.fixture
def committed(accounts: Columns) -> Committed:
    return Committed(accounts)


def opened(accounts: Columns, account: AccountId) -> int:
    row: int = places.opened(*accounts.view, account)
    return row


def sealed(row: int, sums: tuple[int, int, int, int], position: int, rules: int = 0) -> Sealed:
    return Sealed(np.array([row]), np.array([[*sums, rules]]), position)


def sums_of(columns: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]) -> tuple[int, int]:
    return columns[0], int(columns[2].sum())


def test_what_was_not_published_is_not_seen(accounts: Columns, committed: Committed) -> None:
    assert committed.balance(PURSE) == NOTHING
    row = opened(accounts, PURSE)
    accounts.view.rows[row, cells.DEBITS_POSTED] = 5
    assert committed.balance(PURSE) == NOTHING
    assert committed.balances() == (0, {})
    committed.publish(sealed(row, (5, 0, 0, 0), 1))
    assert committed.balances() == (1, {PURSE: Balance(debits_posted=Sen(5))})


def test_an_account_has_the_rules_of_its_kind_until_others_are_published(
    accounts: Columns, committed: Committed
) -> None:
    row = opened(accounts, WALLET)
    assert committed.rules(WALLET) == default_rules(WALLET)
    committed.publish(sealed(row, (0, 0, 0, 0), 1, FROZEN.packed()))
    assert committed.rules(WALLET) == FROZEN


def test_an_account_whose_rules_were_taken_away_has_none(accounts: Columns, committed: Committed) -> None:
    committed.publish(sealed(opened(accounts, WALLET), (0, 1, 0, 0), 1))
    assert committed.rules(WALLET) == AccountRules()


def test_what_is_seen_stays_as_it_is_while_the_table_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    def small(width: int) -> npt.NDArray[np.int64]:
        return np.zeros((16, width), np.int64)

    monkeypatch.setattr("ledger.columns.reserved", small)
    monkeypatch.setattr("ledger.committed.reserved", small)
    accounts = Columns(cells.ACCOUNT_WIDTH)
    committed = Committed(accounts)
    committed.publish(sealed(opened(accounts, PURSE), (7, 0, 0, 0), 1))
    accounts.reserve(100)
    committed.reserve()
    later = [opened(accounts, AccountId(PURSE + at)) for at in range(1, 101)]
    committed.publish(sealed(later[-1], (8, 0, 0, 0), 2))
    assert [one.debits_posted for one in committed.balances()[1].values()] == [7, 8]


@pytest.mark.parametrize("commits", [1, 7, 8, 20])
def test_a_copy_that_a_commit_came_into_is_taken_again_and_the_ninth_keeps_commits_waiting(
    accounts: Columns, committed: Committed, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    row, copy = opened(accounts, OPERATOR), committed._copied
    copies = []

    def copied() -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        found = copy()
        copies.append(found[0])
        waits = committed._publishing.locked()
        if len(copies) <= commits and not waits:
            committed.publish(sealed(row, (len(copies), 0, 0, 0), len(copies)))
        return found

    monkeypatch.setattr(committed, "_copied", copied)
    seen = min(commits, 8)
    assert sums_of(committed.columns()) == (seen, seen)
    assert copies == list(range(seen + 1))
