"""The journey file: every field comes back, cards of before stay readable, and a newer card is neither misread nor overwritten."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import EvidenceError
from card.journey import FARE_MAX, WEEK_MAX
from card.layout import Journey, JourneyState
from keys.clock import UnixMs, service_day
from keys.money import Rupiah

VERSION_1 = struct.Struct("<BIIHIIHII3x")
AT = 1_795_000_000
rupiah = st.integers(0, FARE_MAX).map(Rupiah)


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    at = draw(st.integers(1_000_000, (1 << 32) - 1))
    started = draw(st.one_of(st.just(0), st.integers(at - 190_000, at + 60_000)))
    out = draw(st.one_of(st.just(0), st.integers(at + 1, at + 0xFFFF)))
    return Journey(
        draw(st.sampled_from(JourneyState)), at, draw(st.integers(0, 0xFFFF)), draw(st.integers(0, 0xFFFF)),
        started, draw(rupiah), draw(st.integers(0, 7)), draw(st.integers(0, 255)), draw(rupiah),
        Rupiah(draw(st.integers(0, WEEK_MAX))), draw(st.integers(0, 0xFF_FFFF)), out, draw(st.integers(0, 0xFFFF)),
        draw(rupiah), draw(rupiah),
    )  # fmt: skip


@given(journeys())
def test_every_field_comes_back_from_32_bytes(journey: Journey) -> None:
    data = journey.encode()
    assert len(data) == 32
    assert Journey.decode(data) == journey
    assert Journey.decode(data).encode() == data


@given(
    st.sampled_from(JourneyState), st.integers(1, (1 << 32) - 1), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF),
    st.integers(0, FARE_MAX), st.integers(0, FARE_MAX), st.integers(1, 0xFF_FFFF),
)  # fmt: skip
def test_a_card_of_version_1_keeps_its_ride_window_and_day(
    state: JourneyState, at: int, stop: int, route: int, paid: int, total: int, terminal: int
) -> None:
    day = service_day(UnixMs(at * 1000))
    old = VERSION_1.pack(state, at, stop, route, at, paid, day, total, terminal)
    found = Journey.decode(old)
    assert (found.state, found.tap_in_at, found.tap_in_stop, found.tap_in_route) == (state, at, stop, route)
    assert (found.window_started_at, found.window_paid, found.service_day) == (at, paid, day)
    assert (found.day_total, found.week_total, found.last_terminal) == (total, total, terminal)
    assert Journey.decode(found.encode()) == found


def test_a_fresh_card_of_either_version_has_never_been_tapped() -> None:
    assert Journey.decode(bytes(32)) == Journey.decode(Journey().encode()) == Journey()
    assert Journey().service_day == 0


def test_a_window_of_version_1_that_begins_in_the_future_is_none() -> None:
    old = VERSION_1.pack(0, AT, 7, 1, AT + 60, 3_500, service_day(UnixMs(AT * 1000)), 3_500, 1001)
    assert Journey.decode(old).window_started_at == 0


@pytest.mark.parametrize("version", range(3, 15))
def test_a_journey_of_a_newer_version_is_known_as_such_and_never_written(version: int) -> None:
    data = bytes([version << 4]) + bytes(range(31))
    found = Journey.decode(data)
    assert (found.known, found.version, found.raw) == (False, version, data)
    with pytest.raises(EvidenceError, match=f"version {version}"):
        found.encode()


@pytest.mark.parametrize(
    "data",
    [b"\x02" + bytes(31), b"\x10" + bytes(31), bytes(31) + b"\x01", bytes(31), bytes(33)],
    ids=["state", "version 1 with a number", "filled end", "short", "long"],
)  # fmt: skip
def test_bytes_that_no_version_writes_are_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="journey file"):
        Journey.decode(data)


def test_totals_stay_at_the_highest_that_they_can_count() -> None:
    rich = Journey(day_total=Rupiah(FARE_MAX + 1), week_total=Rupiah(WEEK_MAX + 1), tap_in_at=AT)
    found = Journey.decode(rich.encode())
    assert (found.day_total, found.week_total) == (FARE_MAX, WEEK_MAX)


@given(journeys())
def test_a_lock_is_the_number_15_and_leaves_every_other_bit_as_it_was(journey: Journey) -> None:
    locked = replace(journey, locked=True)
    data, before = locked.encode(), journey.encode()
    assert (data[0] >> 4, data[0] & 15, data[1:]) == (15, before[0] & 15, before[1:])
    assert Journey.decode(data) == locked
    assert replace(Journey.decode(data), locked=False).encode() == before
