"""The air-time model against the standard's own sums, a maker's measurement and a recorded card; then the fare's budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import purse
from card.airtime import (
    CARRIER_MHZ,
    Link,
    Rate,
    activation_us,
    air_us,
    blocks_of,
    cost_of,
    frame_us,
    modelled_ms,
)
from card.apdu import Ins, wrap
from card.chip_time import CHIP, Work, work_of
from card.layout import Journey, TapKind
from card.purse import Change
from card.trace import Exchange, Recorder, name_of
from keys.clock import UnixMs
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from card.virtual import VirtualCard
    from keys.filevault import FileVault

ETU = 128 / CARRIER_MHZ
RATES = st.sampled_from(list(Rate))
SIZES = st.integers(0, 600)
LINKS = st.builds(
    Link, RATES, st.sampled_from([64, 128, 256]), st.sampled_from([64, 128, 256]), st.booleans(), st.just(0.0)
)
NXP_READ_1KB = {Rate.KBIT_106: 130, Rate.KBIT_212: 80, Rate.KBIT_424: 52, Rate.KBIT_848: 43}
"""Milliseconds for select and read of 1 kB in frames of 64 bytes (NXP, The use of higher data rates in applications, table 12)."""


def fare(card: VirtualCard, vault: FileVault) -> list[Exchange]:
    purse_ = purse.open_card(card, vault, Role.LOAD)
    purse_.stage(Change(TapKind.LOAD, Rupiah(50_000), None, 1, 1, UnixMs(1_795_000_000_000)))
    purse_.commit()
    recorder = Recorder(card)
    open_ = purse.open_card(recorder, vault, Role.DEBIT)
    journey = Journey(tap_in_at=1_795_000_000)
    open_.stage(Change(TapKind.FARE, Rupiah(3_500), journey, 1, 2, UnixMs(1_795_000_000_000)))
    open_.commit()
    return recorder.exchanges


# The standard's sums


def test_a_bit_at_106_is_128_carrier_periods_and_half_as_many_at_each_further_rate() -> None:
    assert [rate.etu for rate in Rate] == [128, 64, 32, 16]


def test_one_byte_is_eleven_bits_on_the_air() -> None:
    assert frame_us(1) == pytest.approx(11 * ETU)
    assert frame_us(1) == pytest.approx(103.83, abs=0.01)


def test_an_anticollision_select_takes_what_a_real_reader_takes() -> None:
    """Nine bytes; the recorded frame ended 771.7 us after it began, before the end of communication."""
    assert frame_us(9) == pytest.approx(83 * ETU)
    assert frame_us(9) - ETU == pytest.approx(771.7, abs=3)


def test_a_card_speaks_32_subcarrier_periods_before_a_fast_frame() -> None:
    plain = frame_us(10, Rate.KBIT_212)
    assert plain == pytest.approx(92 * ETU / 2)
    assert frame_us(10, Rate.KBIT_212, from_card=True) - plain == pytest.approx(32 * 16 / CARRIER_MHZ)
    assert frame_us(10, from_card=True) == frame_us(10)


def test_a_short_exchange_adds_up_by_hand() -> None:
    """Select: 9 bytes out, 2 back; PCB and CRC make 12 and 5; least delays on both sides."""
    link = Link(turnaround_us=0)
    by_hand = (2 + 12 * 9) * 128 + 1172 + (2 + 5 * 9) * 128 + 1172
    assert air_us(9, 2, link) == pytest.approx(by_hand / CARRIER_MHZ)
    assert air_us(9, 2, link) == pytest.approx(1654.9, abs=0.1)


def test_a_card_identifier_costs_a_byte_in_each_block() -> None:
    without, with_cid = Link(turnaround_us=0), Link(cid=True, turnaround_us=0)
    assert air_us(9, 2, with_cid) - air_us(9, 2, without) == pytest.approx(2 * 9 * ETU)


# Chaining


def test_a_frame_of_64_carries_61_bytes_and_the_next_byte_takes_a_second_block() -> None:
    assert blocks_of(0, 64, 3) == [3]
    assert blocks_of(61, 64, 3) == [64]
    assert blocks_of(62, 64, 3) == [64, 4]
    assert blocks_of(122, 64, 3) == [64, 64]


def test_a_second_block_costs_an_acknowledgement_and_two_delays() -> None:
    link = Link(turnaround_us=0)
    extra = air_us(62, 2, link) - air_us(61, 2, link)
    block, acknowledgement = (2 + 4 * 9) * 128, (2 + 3 * 9) * 128
    assert extra == pytest.approx((block + acknowledgement + 2 * 1172) / CARRIER_MHZ)


def test_a_larger_frame_saves_the_acknowledgements() -> None:
    saved = [air_us(200, 2, Link(fsc=fsc)) for fsc in (64, 128, 256)]
    assert saved[0] > saved[1] > saved[2]


def test_a_frame_without_room_for_data_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        blocks_of(1, 3, 3)


@given(SIZES, LINKS)
def test_blocks_carry_every_byte_once_and_never_more_than_fits(size: int, link: Link) -> None:
    blocks = blocks_of(size, link.fsc, link.block_overhead)
    assert sum(blocks) - len(blocks) * link.block_overhead == size
    assert max(blocks) <= link.fsc


# Order


@given(SIZES, SIZES, LINKS)
def test_more_bytes_never_take_less_time(sent: int, received: int, link: Link) -> None:
    assert air_us(sent + 1, received, link) > air_us(sent, received, link)
    assert air_us(sent, received + 1, link) > air_us(sent, received, link)
    assert air_us(sent, None, link) < air_us(sent, received, link)


@given(st.integers(1, 600), st.integers(2, 600), LINKS)
def test_a_faster_rate_never_takes_more_time_for_an_exchange(sent: int, received: int, link: Link) -> None:
    times = [air_us(sent, received, replace(link, rate=rate)) for rate in Rate]
    assert times == sorted(times, reverse=True)


@given(SIZES, SIZES, LINKS)
def test_a_larger_frame_never_takes_more_time(sent: int, received: int, link: Link) -> None:
    small, large = replace(link, fsc=64, fsd=64), replace(link, fsc=256, fsd=256)
    assert air_us(sent, received, large) <= air_us(sent, received, small)


# Against measurements


def test_activation_takes_what_it_took_at_a_real_door() -> None:
    """From WUPA to the end of the ATS: 92,180 carrier periods in the recording; the guard time after it is not in that."""
    guard_us = 8192 / CARRIER_MHZ
    assert activation_us() - guard_us == pytest.approx(92_180 / CARRIER_MHZ, rel=0.02)


@pytest.mark.parametrize("rate", Rate)
def test_a_read_of_1_kb_takes_what_the_maker_measured(rate: Rate) -> None:
    link = Link(rate, 64, 64)
    frames = [(8, 60), *[(1, 60)] * 16, (1, 22)]
    work = (
        CHIP[Work.SELECT].us + len(frames) * CHIP[Work.READ_FREE].us - (len(frames) + 1) * 1172 / CARRIER_MHZ
    )
    deselect = air_us(0, 0, link)
    air = air_us(4, 1, link) + sum(air_us(sent, received, link) for sent, received in frames) + deselect
    assert (activation_us(link) + air + work) / 1000 == pytest.approx(NXP_READ_1KB[rate], rel=0.06)


def test_changing_the_rate_costs_one_more_exchange_before_the_first_command() -> None:
    fast = activation_us(Link(Rate.KBIT_848))
    assert fast - activation_us() == pytest.approx(
        frame_us(5) + 1172 / CARRIER_MHZ + frame_us(3) + Link().turnaround_us
    )
    assert fast == activation_us(Link(Rate.KBIT_212))


# The chip


def test_every_figure_says_where_it_comes_from() -> None:
    assert set(CHIP) == set(Work)
    assert all(figure.us > 0 and len(figure.source) > 10 for figure in CHIP.values())


def test_a_command_is_found_in_the_table_by_its_code_and_its_form() -> None:
    assert work_of(wrap(Ins.READ_DATA, bytes(7))) is Work.READ_FREE
    assert work_of(wrap(Ins.READ_DATA, bytes(15))) is Work.READ_MAC
    assert work_of(wrap(Ins.ADDITIONAL_FRAME, bytes(32))) is Work.AUTHENTICATE_SECOND
    assert work_of(wrap(Ins.ADDITIONAL_FRAME)) is Work.READ_FREE
    assert work_of(wrap(Ins.COMMIT_TRANSACTION, bytes(9))) is Work.COMMIT_SIGNED
    assert work_of(wrap(Ins.COMMIT_TRANSACTION, bytes(8))) is Work.COMMIT
    assert work_of(wrap(0xEE)) is Work.READ_MAC
    assert work_of(bytes.fromhex("00a4040007d276000085010100")) is Work.SELECT


def test_a_torn_exchange_costs_its_command_and_no_work() -> None:
    torn = cost_of(Exchange(wrap(Ins.COMMIT_TRANSACTION, bytes(9)), b"", 0))
    assert torn.chip_ms == 0
    assert torn.air_ms == pytest.approx(air_us(15, None) / 1000)


# The budget


def test_a_fare_is_under_150_ms_at_the_slowest_rate(card: VirtualCard, vault: FileVault) -> None:
    cost = modelled_ms(fare(card, vault))
    assert cost.total_ms == pytest.approx(99.60, abs=0.01)
    assert cost.total_ms < 150


def test_a_fare_is_under_150_ms_even_if_every_assumed_figure_is_twice_as_long(
    card: VirtualCard, vault: FileVault
) -> None:
    slow = {
        work: figure if figure.measured else replace(figure, us=2 * figure.us)
        for work, figure in CHIP.items()
    }
    usual, slowed = modelled_ms(fare(card, vault)), modelled_ms(fare(card, vault), chip=slow)
    assert usual.total_ms < slowed.total_ms < 150


def test_the_decisions_table_is_what_the_model_says(card: VirtualCard, vault: FileVault) -> None:
    page = (Path(__file__).parents[2] / "docs" / "decisions" / "0008-tap-time.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line[:1] == "|"]
    told = [(row[0].split()[0], row[2], row[3], row[4]) for row in rows[3:-1]]
    exchanges = fare(card, vault)
    assert told == [
        (name_of(one.apdu), f"{len(one.apdu)}", f"{len(one.answer)}", f"{cost_of(one).total_ms:.2f}")
        for one in exchanges
    ]
    assert rows[2][4] == f"{activation_us() / 1000:.2f}"
    assert rows[-1][4] == f"{modelled_ms(exchanges).total_ms:.2f}"


def test_no_exchange_of_a_fare_needs_a_second_block(card: VirtualCard, vault: FileVault) -> None:
    """So that larger frames (FSC 128 or 256) would save nothing."""
    exchanges = fare(card, vault)
    assert max(max(len(one.apdu), len(one.answer)) for one in exchanges) <= 61
    assert modelled_ms(exchanges, Link(fsc=256)) == modelled_ms(exchanges, Link(fsc=64))


def test_each_step_up_in_rate_makes_a_fare_shorter(card: VirtualCard, vault: FileVault) -> None:
    exchanges = fare(card, vault)
    totals = [modelled_ms(exchanges, Link(rate)).total_ms for rate in Rate]
    assert totals == sorted(totals, reverse=True)
