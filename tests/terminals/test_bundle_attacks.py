"""Bundles from somebody who wants a terminal to believe something: none is taken, and what was in force stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.bundle import BUNDLE_BYTES_MAX, BundleKind
from keys.errors import EnvelopeError
from terminals.errors import (
    BundleForeign,
    BundleForged,
    BundleGap,
    BundleMalformed,
    BundleOld,
    BundleRefused,
    BundleTooLarge,
)
from tests.terminals.depot import START
from tests.terminals.press import DAY_MS, Press

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keys.clock import UnixMs
    from terminals.bundles.kept import KeptBundles

TARIFF, HOTLIST = BundleKind.TARIFF, BundleKind.HOTLIST


@pytest.fixture
def press() -> Press:
    return Press()


@pytest.fixture
def kept(press: Press, tmp_path: Path) -> KeptBundles:
    """A terminal with tariff 5 and hotlist 5."""
    made = press.kept(tmp_path / "bundles")
    made.take(press.tariff(5, 3_500), START)
    made.take(press.hotlist(5, {1, 2, 3}), START)
    return made


def state(kept: KeptBundles, folder: Path, at: UnixMs = START) -> tuple[object, ...]:
    found = [kept.in_force(kind, at) for kind in BundleKind]
    disk = {path.name: path.read_bytes() for path in (folder / "bundles").iterdir()}
    return [one.bundle if one else None for one in found], disk, kept.newest(TARIFF), kept.newest(HOTLIST)


def of_another_city(press: Press) -> bytes:
    return Press(press.key, bytes(8)).tariff(6, 1)


ATTACKS: dict[str, tuple[Callable[[Press], bytes], type[BundleRefused], str]] = {
    "another city's key": (lambda _: Press().tariff(6, 1), BundleForged, "not the city's"),
    "another city under the same key": (of_another_city, BundleForeign, "another city's"),
    "another class": (lambda p: p.tariff(6, 1, audience="kiosk"), BundleForeign, "this is a validator"),
    "an older number": (lambda p: p.tariff(4, 1), BundleOld, "tariff 4 is not newer than 5"),
    "the same number with other bytes": (lambda p: p.tariff(5, 1), BundleOld, "not newer"),
    "an old full hotlist": (lambda p: p.hotlist(1, set()), BundleOld, "hotlist 1 is not newer"),
    "a delta on a later list": (lambda p: p.delta(8, {1, 2, 3}, {1}), BundleGap, "fetch the full one"),
    "a delta on an older list": (lambda p: p.delta(6, {1, 2}, {1}, base=4), BundleGap, "changes 4, and 5 is here"),
    "a delta that does not fit": (lambda p: p.delta(6, {1, 2, 3, 9}, {1}), BundleGap, "do not fit"),
    "a delta with another sum": (lambda p: p.delta(6, {7}, {7, 8}), BundleGap, "not the city's"),
    "no body that can be read": (lambda p: p.seal(TARIFF, 6, b"\xf6"), BundleMalformed, "no CBOR map"),
    "a body of another kind": (lambda p: p.seal(TARIFF, 6, b"\xa0"), BundleMalformed, "must hold"),
    "no bundle at all": (lambda _: b"hello", BundleMalformed, "not taken"),
    "nothing": (lambda _: b"", BundleMalformed, "not taken"),
    "more than the limit": (lambda _: bytes(BUNDLE_BYTES_MAX + 1), BundleTooLarge, "at most"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_bundle_that_is_not_for_this_terminal_changes_nothing(
    name: str, press: Press, kept: KeptBundles, tmp_path: Path
) -> None:
    make, refusal, sentence = ATTACKS[name]
    data, before = make(press), state(kept, tmp_path)
    with pytest.raises(refusal, match=sentence):
        kept.take(data, START)
    assert state(kept, tmp_path) == before
    assert state(press.kept(tmp_path / "bundles"), tmp_path) == before


def test_no_changed_byte_anywhere_is_taken(press: Press, kept: KeptBundles, tmp_path: Path) -> None:
    data, before = press.tariff(6, 4_000), state(kept, tmp_path)
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(BundleRefused):
                kept.take(bytes(changed), START)
    assert state(kept, tmp_path) == before
    assert kept.take(data, START).number == 6


def test_no_byte_takes_any_other_value_at_all(press: Press, kept: KeptBundles) -> None:
    """Also the bytes that CBOR itself stumbles over, such as a break outside of anything."""
    data = press.seal(BundleKind.CALENDAR, 1, b"\xa1hholidays\x80")
    taken = 0
    for place in range(len(data)):
        for value in range(256):
            changed = bytearray(data)
            changed[place] = value
            try:
                kept.take(bytes(changed), START)
            except BundleRefused:
                continue
            taken += 1
    assert taken == 1  # the one that was signed, when first met; then it is an old number


def test_no_cut_off_or_prolonged_bundle_is_taken(press: Press, kept: KeptBundles, tmp_path: Path) -> None:
    data, before = press.tariff(6, 4_000), state(kept, tmp_path)
    for length in range(len(data)):
        with pytest.raises(BundleRefused):
            kept.take(data[:length], START)
    with pytest.raises(BundleRefused):
        kept.take(data + b"\x00", START)
    assert state(kept, tmp_path) == before


def test_a_clock_set_back_brings_no_old_tariff_back(press: Press, kept: KeptBundles, tmp_path: Path) -> None:
    kept.take(press.tariff(6, 4_000, at=START + DAY_MS), START)
    later, long_ago = type(START)(START + DAY_MS), type(START)(START - 100 * DAY_MS)
    assert [kept.in_force(TARIFF, at).bundle.number for at in (START, later, START, long_ago)] == [5, 6, 6, 6]  # type: ignore[union-attr]
    again = press.kept(tmp_path / "bundles").in_force(TARIFF, long_ago)
    assert again is not None
    assert again.bundle.number == 6


def test_the_city_cannot_seal_what_no_terminal_would_take(press: Press) -> None:
    with pytest.raises(EnvelopeError, match="at most 65536 bytes"):
        press.seal(TARIFF, 1, bytes(65_537))
    for number, base in ((0, 0), (3, 3), (1 << 32, 0)):
        with pytest.raises(EnvelopeError, match="out of range"):
            press.seal(TARIFF, number, b"\xa0", base=base)
    with pytest.raises(EnvelopeError, match="does not know"):
        press.seal(TARIFF, 1, b"\xa0", audience="driver")


@pytest.mark.parametrize("kind", [TARIFF, HOTLIST])
def test_a_terminal_that_lost_its_newest_bundle_takes_no_older_one_in_its_place(
    press: Press, tmp_path: Path, kind: BundleKind
) -> None:
    def of(number: int) -> bytes:
        return press.tariff(number, 3_500) if kind is TARIFF else press.hotlist(number, {number})

    made = press.kept(tmp_path / "bundles")
    made.take(of(7), START)
    assert made.in_force(kind, START) is not None
    (path,) = (tmp_path / "bundles").glob(f"{kind}-*7.bundle")
    path.write_bytes(b"rotten")
    again = press.kept(tmp_path / "bundles")
    with pytest.raises(BundleOld, match="older than 7, which was in force"):
        again.take(of(6), START)
    assert again.newest(kind) == 0
    for number in (7, 8):
        assert again.take(of(number), START).number == number
