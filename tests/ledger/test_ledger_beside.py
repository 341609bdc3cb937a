"""Windows beside the chain, without a database: each is met where a block closes it, and is what that block says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keys.clock import Day, UnixMs
from ledger.beside import ClosedWindows
from ledger.chain.store import Window
from ledger.errors import DatabaseDamaged
from ledger.journal import GENESIS, Block, make_block, rows_of
from ledger.transfer import ROW
from ledger.windows import closing_document
from tests.ledger.entries import DAY, transfer

AT = UnixMs(1000)
NEXT = Day(DAY + 1)


def posting(before: Block | None) -> Block:
    return make_block(before, rows_of([transfer()], AT, DAY), [], AT, DAY)


def closing(window: Window, before: Block | None) -> tuple[Block, list[bytes]]:
    bodies = [closing_document(window.business_date, window.last_position, window.head)]
    return make_block(before, np.zeros(0, ROW), bodies, window.closed_at, window.business_date), bodies


def test_a_window_is_closed_from_the_block_on_that_closed_it() -> None:
    first = posting(None)
    window = Window(DAY, AT, 1, first.digest)
    windows = ClosedWindows([window])
    windows.meet(first, [], None)
    assert (windows.is_closed(DAY), windows.all_met) == (False, False)
    windows.meet(*closing(window, first), first)
    assert (windows.is_closed(Day(DAY - 1)), windows.is_closed(DAY), windows.is_closed(NEXT)) == (
        True,
        True,
        False,
    )
    assert (windows.all_met, windows.met) == (True, 1)


def test_a_window_of_an_empty_ledger_ends_at_the_genesis() -> None:
    window = Window(DAY, AT, 0, GENESIS)
    windows = ClosedWindows([window])
    windows.meet(*closing(window, None), None)
    assert windows.all_met


def test_a_document_that_closes_nothing_is_no_windows() -> None:
    windows = ClosedWindows([])
    signed = make_block(None, np.zeros(0, ROW), [b"signed"], AT, DAY)
    windows.meet(signed, [b"signed"], None)
    assert windows.met == 0


@pytest.mark.parametrize(
    "changed",
    [{"business_date": NEXT}, {"closed_at": UnixMs(1001)}, {"last_position": 2}, {"head": bytes(32)}],
)
def test_a_window_that_is_not_what_its_block_says_is_damage(changed: dict[str, int | bytes]) -> None:
    first = posting(None)
    window = Window(DAY, AT, 1, first.digest)
    with pytest.raises(DatabaseDamaged, match="the window that block 2 closed is not what was written"):
        ClosedWindows([replace(window, **changed)]).meet(*closing(window, first), first)  # type: ignore[arg-type]


def test_a_window_that_only_the_chain_knows_is_damage() -> None:
    with pytest.raises(DatabaseDamaged, match="block 1 closed"):
        ClosedWindows([]).meet(*closing(Window(DAY, AT, 0, GENESIS), None), None)
