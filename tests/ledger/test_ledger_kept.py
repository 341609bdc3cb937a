"""What an engine keeps of itself, and that a comparison names what differs between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from ledger import cells
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.journal import rows_of
from ledger.kept import compare_kept
from ledger.rules import AccountRules, RuleFlag, change
from ledger.transfer import Flag
from tests.ledger.entries import CASH, DAY, OPERATOR, PURSE, WALLET, transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.kept import Kept
    from ledger.transfer import Transfer

AT = UnixMs(1000)
BASE = (
    transfer(CASH, PURSE, 9, terminal=7, sequence=1),
    transfer(PURSE, OPERATOR, 5, uid=0x0401, tmc=3),
    transfer(CASH, WALLET, 4, flags=Flag.PENDING),
)


def kept_of(*transfers: Transfer) -> Kept:
    engine = Engine()
    assert not engine.apply(rows_of(transfers, AT, DAY)).results.any()
    return engine.keep()


def differing(kept: Kept, rebuilt: Kept) -> str:
    """What a comparison says; "" where it finds them equal."""
    try:
        compare_kept(kept, rebuilt)
    except DatabaseDamaged as error:
        return str(error)
    return ""


def test_what_refused_rows_opened_is_not_kept() -> None:
    engine = Engine()
    assert engine.apply(rows_of([transfer(WALLET, OPERATOR, 5, uid=0x0402, tmc=1)], AT, DAY)).results.all()
    kept = engine.keep()
    assert (kept.position, len(kept.accounts), len(kept.holds), len(kept.streams)) == (0, 0, 0, 0)


def test_what_is_kept_is_a_copy() -> None:
    engine = Engine()
    engine.apply(rows_of(BASE, AT, DAY))
    kept = engine.keep()
    engine.apply(rows_of([transfer()], AT, DAY))
    assert differing(kept, kept_of(*BASE)) == ""


def test_two_that_came_to_the_same_in_another_order_are_equal() -> None:
    kept, other = kept_of(*BASE), kept_of(BASE[2], BASE[0], BASE[1])
    assert "holds" in differing(kept, other)  # a hold is known by its position
    assert differing(kept, other._replace(holds=kept.holds)) == ""


def larger(column: int) -> Callable[[Kept], Kept]:
    def changed(kept: Kept) -> Kept:
        accounts = kept.accounts.copy()
        accounts[:, column] += 1
        return kept._replace(accounts=accounts)

    return changed


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (lambda: kept_of(*BASE, transfer(amount=1)), "has another balance in the snapshot"),
        (lambda: larger(cells.INCOMING)(kept_of(*BASE)), "other rules or limits"),
        (lambda: kept_of(*BASE)._replace(accounts=kept_of(*BASE, change(PURSE, AccountRules(RuleFlag.BLOCKED), AT)).accounts), "other rules or limits"),
        (lambda: kept_of(*BASE)._replace(holds=kept_of(BASE[0]).holds), "other holds"),
        (lambda: kept_of(*BASE)._replace(streams=kept_of(BASE[0]).streams), "other counters"),
    ],
    ids=["balance", "limits", "rules", "holds", "counters"],
)  # fmt: skip
def test_a_comparison_names_what_differs(other: Callable[[], Kept], named: str) -> None:
    assert named in differing(kept_of(*BASE), other())


def test_a_hold_that_is_over_need_not_be_remembered() -> None:
    void = transfer(CASH, WALLET, 4, flags=Flag.VOID_PENDING, hold=3)
    kept = kept_of(*BASE, void)
    assert differing(kept, kept._replace(holds=kept.holds[:0])) == ""
