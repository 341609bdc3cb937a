"""Law 9 at night: a closed window never changes, and running its night again changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.chart import Code, split
from settlement.errors import EarlierWindowOpen, OutputDiffers
from settlement.view import view
from tests.settlement.statements_of import statement_of
from tests.settlement.town import DAY, JATENG, Taps

if TYPE_CHECKING:
    from settlement.items import Item
    from tests.settlement.town import Stage


def bank_statement(stage: Stage, bank: int, opening: int = 0, *, form: str = "08") -> bytes:
    """What a bank that carried out everything would write."""
    return statement_of(items_of(stage), stage.participants, bank, opening, form=form)


def items_of(stage: Stage) -> tuple[Item, ...]:
    night = view(stage.ledger.database, DAY)
    assert night is not None
    return night.items


def on_disk(stage: Stage) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in stage.out.iterdir() if path.is_file()}


def test_law_09_running_a_night_again_gives_the_same_bytes_and_moves_nothing(stage: Stage) -> None:
    stage.night.run(DAY)
    for bank in stage.participants.banks:
        stage.put(f"{bank}.xml", bank_statement(stage, bank))
    first = stage.night.run(DAY)
    stage.release()
    files, head, night = on_disk(stage), stage.ledger.head(), view(stage.ledger.database, DAY)
    stage.clock.at = UnixMs(stage.clock.at + 3_600_000)
    assert stage.night.run(DAY) == first
    assert on_disk(stage) == files
    assert stage.ledger.head() == head
    assert view(stage.ledger.database, DAY) == night
    assert len(files) == 3


def test_law_09_a_closed_window_keeps_its_positions_whatever_comes_later(stage: Stage) -> None:
    before = stage.night.run(DAY)
    late = Taps()
    late.fare(JATENG, 1, 3_500)
    stage.ledger.post(late.made)
    assert stage.night.run(DAY) == before
    after = stage.night.run(Day(DAY + 1))
    assert (after.positions, after.gross) == (1, Sen(350_000))


def test_after_the_night_all_payables_cash_and_subsidies_are_zero(stage: Stage) -> None:
    stage.night.run(DAY)
    to_settle = {Code.OPERATOR_PAYABLE, Code.MERCHANT_PAYABLE, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE}
    left = {
        account: balance.net(account)
        for account, balance in stage.ledger.balances().items()
        if split(account).code in to_settle
    }
    assert left
    assert set(left.values()) == {Sen(0)}


def test_settlement_entries_stand_in_the_next_window_and_are_no_part_of_its_positions(stage: Stage) -> None:
    first = stage.night.run(DAY)
    assert first.entries > 0
    assert len(stage.ledger.rows(Day(DAY + 1))) == first.entries
    stage.clock.at = UnixMs(stage.clock.at + timedelta(days=1) // timedelta(milliseconds=1))
    assert stage.night.run(Day(DAY + 1)).positions == 0


def test_every_item_is_proven_by_the_banks_own_statements(stage: Stage) -> None:
    stage.night.run(DAY)
    for bank, form in zip(sorted(stage.participants.banks), ("02", "08", "940"), strict=True):
        stage.put(f"{bank}.sta", bank_statement(stage, bank, 1_000_000_00, form=form))
    done = stage.night.run(DAY)
    assert done.matches_by_rule == (("reference and amount", len(items_of(stage))),)
    assert (done.breaks_by_reason, done.waiting, done.statements) == ((), 0, 3)
    assert done.matched == done.movement != 0


def test_a_night_resumed_after_its_entries_were_posted_writes_the_files_that_were_kept(stage: Stage) -> None:
    stage.night.settle(DAY)
    head = stage.ledger.head()
    assert not stage.out.exists()
    stage.release()
    done = stage.night.run(DAY)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    assert on_disk(stage) == {file.name: file.content for file in night.payment_files}
    assert (done.payment_files, stage.ledger.head().position) == (3, head.position)


def test_a_payment_file_that_somebody_changed_stops_the_night(stage: Stage) -> None:
    stage.night.run(DAY)
    stage.release()
    path = next(stage.out.glob("pain001-*"))
    path.write_bytes(path.read_bytes().replace(b"IDR", b"USD"))
    with pytest.raises(OutputDiffers, match=path.name):
        stage.night.run(DAY)


def test_a_window_is_not_settled_before_the_one_before_it(stage: Stage) -> None:
    with pytest.raises(EarlierWindowOpen, match="2026-11-18"):
        stage.night.run(Day(DAY + 1))
    assert stage.ledger.windows() == []
