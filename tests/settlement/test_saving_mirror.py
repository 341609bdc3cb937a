"""Mirror and bank brought together each night: zero where nothing is wrong, and a figure with its reason where something is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.clock import Day
from keys.money import Sen
from ledger.cardholder.unit import noted
from settlement.banks.expected import orders_of
from settlement.night import saving_side
from settlement.partner_bank import asking
from settlement.partner_bank.faults import Fault
from settlement.saving import mirror, store
from settlement.saving.links import PREFIX
from tests.settlement.banked import NOON
from tests.settlement.saved import HELD, KSH, SAVER2, TODAY, rupiah, silence, spent

if TYPE_CHECKING:
    from ledger.store import Connection
    from tests.settlement.saved import Saved

TEN = rupiah(10_000)


def figures(saved: Saved, day: Day) -> list[tuple[str, int, int]]:
    with saved.banked.ledger.database.transaction() as connection:
        checks = saving_side.compare(connection, day)
    return [(one.name.removeprefix("savings: "), one.figure, one.unexplained) for one in checks]


def test_a_night_brings_mirror_and_bank_together_and_they_are_not_apart(linked: Saved) -> None:
    assert figures(linked, TODAY) == []
    linked.desk.move(KSH, 1, TEN, "up1")
    spent(linked, "X1", rupiah(3_000))
    linked.night.mirror(TODAY)
    assert figures(linked, TODAY) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]
    (shown,) = linked.desk.of(KSH)
    assert shown.mirror is not None
    assert (shown.mirror.balance, shown.mirror.source) == (HELD - TEN - rupiah(3_000), "statement")
    for day in (1, 2):
        linked.pass_(86_400_000)
        linked.desk.move(KSH, 1, Sen(-TEN // 2), f"d{day}")
        linked.night.mirror(Day(TODAY + day))
        assert figures(linked, Day(TODAY + day)) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]


def test_days_without_a_movement_leave_mirror_and_bank_together(linked: Saved) -> None:
    """The line where a statement ended is told again, however many quiet nights lie behind it."""
    linked.desk.move(KSH, 1, TEN, "up1")
    for day in range(4):
        linked.night.mirror(Day(TODAY + day))
        assert figures(linked, Day(TODAY + day)) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]
        linked.pass_(86_400_000)
    spent(linked, "X1", rupiah(3_000))
    linked.night.mirror(Day(TODAY + 4))
    assert figures(linked, Day(TODAY + 4)) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]


def test_a_long_statement_is_asked_for_page_by_page(linked: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "STATEMENT_LINES_MAX", 3)
    for number in range(8):
        spent(linked, f"X{number}", rupiah(100))
        linked.pass_(700)  # some of them in one second
    asked = len(linked.banked.wire.calls)
    linked.night.mirror(TODAY)
    assert figures(linked, TODAY) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]
    assert 3 < len(linked.banked.wire.calls) - asked < 8
    linked.night.mirror(Day(TODAY + 1))
    assert figures(linked, Day(TODAY + 1)) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]


def test_a_statement_that_cannot_be_told_to_its_end_is_not_taken_for_whole(
    linked: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lines in one second than a page has: the account counts as not told, and nothing is kept of the part."""
    monkeypatch.setattr(asking, "STATEMENT_LINES_MAX", 3)
    for number in range(5):
        spent(linked, f"X{number}", rupiah(100))
    linked.night.mirror(TODAY)
    assert figures(linked, TODAY) == [("mirror less bank", 0, 0), ("accounts not told", 1, 0)]


def test_a_night_run_again_finds_the_same_whatever_happened_since(linked: Saved) -> None:
    linked.night.mirror(TODAY)
    before = linked.desk.of(KSH)
    spent(linked, "X1", rupiah(3_000))
    linked.night.mirror(TODAY)
    assert linked.desk.of(KSH) == before


def test_a_balance_that_the_bank_made_up_is_found(linked: Saved) -> None:
    """The bank changes an account without a line: the figure is what is missing."""
    linked.night.mirror(TODAY)
    with linked.banked.bank.books.session() as session:
        session._connection.execute("UPDATE accounts SET balance = balance - 500 WHERE number = ?", (SAVER2,))
    linked.night.mirror(Day(TODAY + 1))
    assert figures(linked, Day(TODAY + 1))[0] == ("mirror less bank", 500, 500)


def test_a_balance_that_was_shown_and_never_held_is_found(linked: Saved) -> None:
    link = linked.desk._link(KSH, 1)

    def wrong(connection: Connection) -> None:
        store.put_mirror(connection, link, mirror.asked(None, Sen(HELD + 7), NOON))

    noted(linked.banked.ledger, wrong)
    linked.night.mirror(TODAY)
    assert figures(linked, TODAY)[0] == ("mirror less bank", 7, 7)


def test_an_order_that_the_bank_does_not_show_is_found_and_named(linked: Saved) -> None:
    order = linked.desk.move(KSH, 1, TEN, "up1")
    with linked.banked.bank.books.session() as session:
        session._connection.execute(
            "UPDATE entries SET reference = '' WHERE reference = ?", (order.reference,)
        )
    linked.night.mirror(TODAY)
    with linked.banked.ledger.database.transaction() as connection:
        (check, _) = saving_side.compare(connection, TODAY)
    assert (check.unexplained, order.reference in check.text) == (TEN, True)


@pytest.mark.usefixtures("pauses")
def test_a_bank_that_is_not_reached_is_a_named_figure_and_the_next_run_mends_it(linked: Saved) -> None:
    real = linked.banked.wire.send
    linked.banked.wire.send = silence  # type: ignore[assignment]
    linked.night.mirror(TODAY)
    assert figures(linked, TODAY) == [("mirror less bank", 0, 0), ("accounts not told", 1, 0)]
    linked.banked.wire.send = real  # type: ignore[method-assign]
    linked.pass_(60_000)
    linked.night.mirror(TODAY)
    assert figures(linked, TODAY) == [("mirror less bank", 0, 0), ("accounts not told", 0, 0)]


def test_each_order_that_is_done_is_expected_on_our_own_statement(linked: Saved) -> None:
    linked.desk.move(KSH, 1, TEN, "up1")
    linked.desk.move(KSH, 1, Sen(-TEN // 2), "down1")
    linked.banked.bank.faults.script([Fault.LOST_BEFORE])
    linked.desk.move(KSH, 1, TEN, "lost")
    with linked.banked.ledger.database.transaction() as connection:
        items = orders_of(connection, linked.banked.ledger.open_window())
        assert orders_of(connection, Day(TODAY - 1)) == ()
    assert sorted((one.amount, one.told) for one in items) == [
        (-TEN // 2, f"{PREFIX}{KSH.uid}-down1"), (TEN, f"{PREFIX}{KSH.uid}-up1"),
    ]  # fmt: skip
