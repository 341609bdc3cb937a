"""Working alone: how long, for how much and by what clock a terminal may, and when it speaks to its ledger again."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import UnixMs
from keys.money import Rupiah
from terminals.batches import BATCH_BYTES, BATCH_RECORDS, PendingBatch
from terminals.bundles import contents
from terminals.bundles.contents import Limits
from terminals.errors import BundleMalformed
from terminals.fares import FareRefused
from terminals.offline import DAY_MS, HOUR_MS, Standing, need_trust, warnings
from terminals.outbox import Outbox
from terminals.outbox_file import RecordState
from terminals.pump import AGE_MS, BACK_OFF_MS_MAX, LOOK_MS, Line, Pump, back_off_ms, is_due
from terminals.tap import Colour
from tests.terminals.depot import PLACE, START, Clock, Ledger, Server, card, terminal, value_of
from tests.terminals.test_terminal_outbox import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from card.virtual import VirtualCard
    from keys.filevault import FileVault
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

LIMITS = Limits(hotlist_hours_max=24, offline_sum_max=Rupiah(10_000), offline_count_max=50)
CALM = Standing(START, START, START, waiting=1, owed=Rupiah(3_500), drift_ms=0)


@pytest.mark.parametrize(
    ("standing", "later_ms", "rule"),
    [
        (CALM, 24 * HOUR_MS, ""),
        (CALM, 24 * HOUR_MS + 1, "offline-too-long"),
        (replace(CALM, owed=Rupiah(9_999)), 0, ""),
        (replace(CALM, owed=Rupiah(10_000)), 0, "offline-limit"),
        (replace(CALM, waiting=50), 0, "offline-limit"),
        (replace(CALM, drift_ms=600_000), 0, ""),
        (replace(CALM, drift_ms=-600_001), 0, "clock-wrong"),
        (CALM, -300_000, ""),
        (CALM, -300_001, "clock-wrong"),
        (replace(CALM, newest_at=UnixMs(0)), -300_000, ""),
        (replace(CALM, newest_at=UnixMs(0)), -300_001, "clock-wrong"),
        (replace(CALM, newest_at=UnixMs(0), drift_ms=-600_000), -900_000, ""),
        (replace(CALM, newest_at=UnixMs(0), drift_ms=-600_000), -900_001, "clock-wrong"),
        (replace(CALM, newest_at=UnixMs(0), drift_ms=600_000), -300_001, "clock-wrong"),
    ],
)
def test_a_terminal_works_alone_as_long_as_the_city_lets_it(
    standing: Standing, later_ms: int, rule: str
) -> None:
    at = UnixMs(START + later_ms)
    if not rule:
        need_trust(standing, LIMITS, at)
        return
    with pytest.raises(FareRefused) as refused:
        need_trust(standing, LIMITS, at)
    assert refused.value.rule == rule


def test_what_will_be_refused_is_warned_of_before() -> None:
    assert warnings(CALM, LIMITS, START) == ()
    assert warnings(replace(CALM, owed=Rupiah(9_000)), LIMITS, START) == ("owes-much",)
    assert warnings(replace(CALM, waiting=45), LIMITS, START) == ("outbox-nearly-full",)
    assert warnings(CALM, LIMITS, UnixMs(START + 22 * HOUR_MS)) == ("hotlist-old",)
    assert warnings(replace(CALM, drift_ms=121_000), LIMITS, START) == ("clock-off",)
    old = UnixMs(START + 25 * DAY_MS + 1)
    assert "outbox-old" in warnings(CALM, LIMITS, old)
    assert "outbox-old" not in warnings(replace(CALM, waiting=0), LIMITS, old)


def test_limits_of_working_alone_travel_and_older_bundles_stay_readable() -> None:
    assert contents.decode_limits(contents.encode_limits(LIMITS)) == LIMITS
    assert contents.encode_limits(Limits()) == contents.encode_limits(
        Limits(Rupiah(20_000_000), Rupiah(20_000_000))
    )
    with pytest.raises(BundleMalformed, match="hotlist_hours_max"):
        contents.decode_limits(contents.encode_limits(replace(LIMITS, hotlist_hours_max=2_161)))


@given(st.integers(1, 60), st.floats(0, 1))
def test_the_wait_after_failures_grows_is_spread_and_has_an_end(failures: int, dice: float) -> None:
    waited = back_off_ms(failures, lambda: dice)
    assert waited <= BACK_OFF_MS_MAX
    assert waited >= min(2_500 * 2 ** (failures - 1), BACK_OFF_MS_MAX // 2)


def test_records_go_up_by_count_or_by_age_and_a_quiet_terminal_asks_for_news() -> None:
    line = Line(up_at=START)
    assert not is_due(line, 0, UnixMs(0), UnixMs(START + LOOK_MS - 1))
    assert is_due(line, 0, UnixMs(0), UnixMs(START + LOOK_MS))
    assert not is_due(line, BATCH_RECORDS - 1, START, UnixMs(START + AGE_MS - 1))
    assert is_due(line, 1, START, UnixMs(START + AGE_MS))
    assert is_due(line, BATCH_RECORDS, START, UnixMs(START + 1))
    waiting = replace(line, failures=1, next_try_at=UnixMs(START + 10))
    assert not is_due(waiting, BATCH_RECORDS, START, UnixMs(START + 9))
    assert is_due(waiting, 0, START, UnixMs(START + 10))


def test_a_bus_that_heard_nothing_for_a_month_takes_no_fare_and_touches_no_card(
    bus: Terminal, tmp_path: Path, clock: Clock
) -> None:
    chip = card(bus._parts.vault)  # type: ignore[arg-type]
    assert bus.fare(chip, PLACE).colour is Colour.GREEN
    clock.wait(30 * 86_400 + 1)
    refused = bus.fare(chip, PLACE)
    assert (refused.colour, refused.reason, value_of(chip)) == (Colour.RED, "offline-too-long", 46_500)
    bus.outbox.note_contact(clock.now(), 0)
    assert bus.fare(chip, PLACE).colour is Colour.GREEN
    assert bus.standing.owed == 7_000


FLOWS: dict[str, Callable[[Terminal, VirtualCard], Outcome]] = {
    "fare": lambda bus, chip: bus.fare(chip, PLACE),
    "tap in": lambda bus, chip: bus.tap_in(chip, PLACE),
    "sale": lambda bus, chip: bus.sale(chip, Rupiah(1_000)),
}


def says(bus: Terminal, chip: VirtualCard, flow: str = "fare") -> str:
    """Why a tap is refused; "" where it is green. What is refused leaves card and outbox as they were."""
    before, last = chip.save(), bus.outbox.next_sequence
    outcome = FLOWS[flow](bus, chip)
    chip.leave_field()
    if outcome.colour is Colour.GREEN:
        return ""
    assert (chip.save(), bus.outbox.next_sequence) == (before, last)
    return outcome.reason


@pytest.mark.parametrize("flow", FLOWS)
def test_attack_a_clock_set_back_takes_nothing_not_even_when_the_terminal_is_started_again(
    flow: str, vault: FileVault, clock: Clock, ledger: Ledger, server: Server, tmp_path: Path
) -> None:
    chip = card(vault)
    with terminal(tmp_path, vault, clock, ledger, server.address) as bus:
        assert says(bus, chip) == ""
        clock.wait(-86_400)
        assert says(bus, chip, flow) == "clock-wrong"
    with terminal(tmp_path, vault, clock, ledger, server.address) as bus:
        assert says(bus, chip, flow) == "clock-wrong"
        clock.wait(86_400 + 900)
        assert says(bus, chip, flow) == ""


def test_attack_a_clock_set_back_to_before_the_last_contact_makes_no_old_hotlist_young(
    bus: Terminal, clock: Clock
) -> None:
    chip = card(bus._parts.vault)  # type: ignore[arg-type]
    bus.outbox.note_contact(clock.now(), 0)
    clock.wait(31 * 86_400)
    assert says(bus, chip) == "offline-too-long"
    clock.wait(-32 * 86_400)
    assert says(bus, chip) == "clock-wrong"


def test_attack_a_clock_set_back_little_by_little_comes_no_further_than_once(
    bus: Terminal, clock: Clock
) -> None:
    chip = card(bus._parts.vault)  # type: ignore[arg-type]
    bus.outbox.note_contact(clock.now(), 0)
    clock.wait(600)
    assert says(bus, chip, "sale") == ""
    clock.wait(-299)
    assert says(bus, chip, "sale") == ""
    clock.wait(-2)
    assert says(bus, chip, "sale") == "clock-wrong"


def test_a_fast_clock_that_was_put_right_is_trusted_again_once_the_ledger_agrees(
    bus: Terminal, clock: Clock
) -> None:
    chip = card(bus._parts.vault)  # type: ignore[arg-type]
    clock.wait(86_400)
    assert says(bus, chip, "sale") == ""
    clock.wait(-86_400)
    bus.outbox.note_contact(clock.now(), None)
    assert says(bus, chip, "sale") == "clock-wrong"  # who was heard did not tell the time
    bus.outbox.note_contact(clock.now(), 601_000)
    assert says(bus, chip, "sale") == "clock-wrong"
    bus.outbox.note_contact(clock.now(), -540_000)
    clock.wait(-540 - 299)
    assert says(bus, chip, "sale") == ""
    bus.outbox.note_contact(clock.now(), 0)
    clock.wait(-301)
    assert says(bus, chip, "sale") == "clock-wrong"


def test_an_abandoned_sale_that_was_paid_is_told_and_the_new_one_waits_for_its_own_tap(bus: Terminal) -> None:
    chip = card(bus._parts.vault)  # type: ignore[arg-type]
    chip.tear(11, acts=True)
    assert bus.sale(chip, Rupiah(12_000)).reason == "tap-again"
    told = bus.sale(chip, Rupiah(5_000))
    assert (told.colour, told.reason, told.amount) == (Colour.AMBER, "paid-earlier", 12_000)
    assert value_of(chip) == 38_000
    assert bus.sale(chip, Rupiah(5_000)).colour is Colour.GREEN
    assert value_of(chip) == 33_000


def test_the_pump_sends_by_age_waits_after_a_failure_and_says_what_it_met(
    bus: Terminal, clock: Clock, ledger: Ledger
) -> None:
    pump = Pump(bus, clock.now)
    pump.send()
    bus.fare(card(bus._parts.vault), PLACE)  # type: ignore[arg-type]
    assert pump.step() is None
    clock.wait(61)
    ledger.mishaps = ["503", "503"]
    assert pump.step() is None
    assert (pump.line.failures, pump.line.refused, bus.outbox.waiting) == (1, False, 1)
    assert "does not answer" in pump.line.trouble
    assert pump.step() is None
    assert pump.line.failures == 1
    clock.wait(11)
    sent = pump.step()
    assert sent is not None
    assert (sent.posted, bus.outbox.waiting, pump.line.trouble) == (1, 0, "")


def test_a_batch_carries_no_more_than_a_slow_line_can(tmp_path: Path) -> None:
    outbox, carried = Outbox(tmp_path / "outbox.db"), list[int]()
    for sequence in range(1, 301):
        big = replace(record(sequence), tmi=bytes(608))
        outbox.save(big, RecordState.READY)

    def form(_first: int, _previous: bytes, records: list[bytes]) -> bytes:
        carried.append(sum(map(len, records)))
        return b"".join(records)

    sent = list[PendingBatch]()
    while (batch := outbox.batch(form)) is not None:
        sent.append(batch)
        outbox.settle(batch)
    assert max(carried) <= BATCH_BYTES
    assert len(sent) > 1
    assert [one.first for one in sent[1:]] == [one.last + 1 for one in sent[:-1]]
    assert outbox.standing(START).owed == 0
    outbox.close()


def test_an_outbox_of_an_earlier_release_is_read_with_what_it_owes(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    for sequence in range(1, 4):
        outbox.save(record(sequence), RecordState.READY)
    outbox.close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE records DROP COLUMN amount")
    db.close()
    outbox = Outbox(path)
    standing = outbox.standing(START)
    assert (standing.owed, standing.waiting, standing.oldest_at) == (10_500, 3, START)
    outbox.close()


def test_taps_and_uploads_of_two_threads_never_mix_their_transactions(tmp_path: Path) -> None:
    outbox, up = Outbox(tmp_path / "outbox.db"), list[int]()
    done = threading.Event()

    def send() -> None:
        while not (done.is_set() and outbox.waiting == 0):
            batch = outbox.batch(lambda first, _previous, records: b"%d:%d" % (first, len(records)))
            if batch is not None:
                up.extend(range(batch.first, batch.last + 1))
                outbox.settle(batch)

    thread = threading.Thread(target=send)
    thread.start()
    for sequence in range(1, 301):
        one = replace(record(sequence), uid=sequence.to_bytes(7, "big"))
        outbox.save(one, RecordState.INTENT)
        outbox.confirm(one, bytes(8))
    done.set()
    thread.join(60)
    assert up == list(range(1, 301))
    assert (outbox.waiting, outbox.standing(START).owed) == (0, 0)
    outbox.close()
