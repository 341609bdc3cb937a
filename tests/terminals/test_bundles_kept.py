"""Bundles on a terminal's disk: each kind by its own numbers, in force from its date, whole however the terminal dies."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import cbor2
import pytest

from keys.bundle import BundleKind
from keys.clock import UnixMs, day_of, local
from keys.filevault import write_atomically
from keys.money import Rupiah
from keys.vault import Role
from terminals.bundles import contents, hotlist
from terminals.bundles import kept as kept_module
from terminals.bundles.contents import Limits
from terminals.bundles.hotlist import Hotlist
from terminals.errors import BundleMalformed, BundleRefused
from tests.terminals.depot import START
from tests.terminals.press import DAY_MS, Press

if TYPE_CHECKING:
    from pathlib import Path

    from terminals.bundles.kept import KeptBundles

TARIFF, HOTLIST = BundleKind.TARIFF, BundleKind.HOTLIST
TODAY = day_of(local(START).date())


def number_in_force(kept: KeptBundles, kind: BundleKind, at: int = START) -> int:
    found = kept.in_force(kind, UnixMs(at))
    return found.bundle.number if found else 0


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_each_kind_says_what_the_city_wrote(tmp_path: Path) -> None:
    press, kept = Press(), Press().kept(tmp_path / "other")
    kept = press.kept(tmp_path / "bundles")
    limits, keys = Limits(Rupiah(500_000), Rupiah(1_000_000)), {Role.DEBIT: (2, 3)}
    kept.take(press.tariff(1, 4_000), START)
    kept.take(press.seal(BundleKind.LIMITS, 1, contents.encode_limits(limits)), START)
    kept.take(press.seal(BundleKind.CALENDAR, 1, contents.encode_calendar(frozenset({TODAY}))), START)
    kept.take(press.seal(BundleKind.KEYS, 1, contents.encode_keys(keys)), START)
    again = press.kept(tmp_path / "bundles")
    for kind, wanted in (
        (BundleKind.LIMITS, limits),
        (BundleKind.CALENDAR, {TODAY}),
        (BundleKind.KEYS, keys),
    ):
        found = again.in_force(kind, START)
        assert found is not None
        assert found.content == wanted
    tariff = again.in_force(TARIFF, START)
    assert tariff is not None
    assert (tariff.content.version, tariff.content.prices.amount("ride-rest", "general")) == (
        "semarang#1",
        4_000,
    )


def test_a_bundle_with_a_date_ahead_waits_for_it_also_over_a_restart(tmp_path: Path) -> None:
    press, folder = Press(), tmp_path / "bundles"
    kept = press.kept(folder)
    kept.take(press.tariff(1, 3_500), START)
    kept.take(press.tariff(2, 4_000, at=START + DAY_MS), START)
    for one in (kept, press.kept(folder)):
        assert [number_in_force(one, TARIFF, START + DAY_MS - 1), one.newest(TARIFF)] == [1, 2]
    assert number_in_force(press.kept(folder), TARIFF, START + DAY_MS) == 2
    assert files(folder) == {"in-force", "tariff-0000000002.bundle"}


def test_a_later_word_replaces_what_waited_for_a_later_date(tmp_path: Path) -> None:
    press, folder = Press(), tmp_path / "bundles"
    kept = press.kept(folder)
    kept.take(press.tariff(1, 3_500), START)
    kept.take(press.tariff(2, 9_000, at=START + 2 * DAY_MS), START)
    kept.take(press.tariff(3, 4_000, at=START + DAY_MS), START)
    assert [number_in_force(kept, TARIFF, START + days * DAY_MS) for days in (0, 1, 2)] == [1, 3, 3]


def test_only_so_many_bundles_wait(tmp_path: Path) -> None:
    press = Press()
    kept = press.kept(tmp_path / "bundles")
    for number in range(1, 9):
        kept.take(press.tariff(number, number, at=START + number * DAY_MS), START)
    with pytest.raises(BundleRefused, match="8 bundles of tariff wait"):
        kept.take(press.tariff(9, 9, at=START + 9 * DAY_MS), START)
    assert number_in_force(kept, TARIFF, START + 8 * DAY_MS) == 8


def test_deltas_follow_one_another_and_give_the_list_of_the_full_one(tmp_path: Path) -> None:
    press, folder, dice = Press(), tmp_path / "bundles", random.Random(4)
    kept = press.kept(folder)
    before = {dice.getrandbits(56) for _ in range(500)}
    kept.take(press.hotlist(1, before), START)
    for number in range(2, 12):
        after = set(dice.sample(sorted(before), 450)) | {dice.getrandbits(56) for _ in range(60)}
        kept.take(press.delta(number, before, after), START)
        before = after
        held = press.kept(folder).in_force(HOTLIST, START)
        assert held is not None
        assert held.content.numbers() == sorted(after)
    assert {name for name in files(folder) if name != "in-force"} == {
        "hotlist-0000000011.array",
        "hotlist-0000000011.bundle",
    }


def test_a_list_finds_all_of_its_cards_and_no_other() -> None:
    uids = {int.from_bytes(bytes([4, 1, 2, 3, 4, 5, end]), "big") for end in range(0, 256, 3)}
    listed = Hotlist.from_bytes(Hotlist.of(uids).to_bytes())
    found = {end for end in range(256) if bytes([4, 1, 2, 3, 4, 5, end]) in listed}
    assert found == set(range(0, 256, 3))
    assert bytes(7) not in listed
    assert b"\xff" * 7 not in listed
    assert len(listed.to_bytes()) == 8 * len(uids)


@pytest.mark.parametrize(
    "data", [bytes(7), Hotlist.of({1, 2}).to_bytes()[::-1], 2 * Hotlist.of({5}).to_bytes()]
)
def test_an_array_that_is_not_sorted_is_no_hotlist(data: bytes) -> None:
    with pytest.raises(BundleMalformed, match=r"hotlist's array"):
        Hotlist.from_bytes(data)


def test_a_kept_file_that_was_changed_is_left_aside_and_fetched_again(tmp_path: Path) -> None:
    press, folder = Press(), tmp_path / "bundles"
    kept = press.kept(folder)
    kept.take(press.hotlist(1, {1, 2, 3}), START)
    kept.take(press.tariff(1, 3_500), START)
    (folder / "hotlist-0000000001.array").write_bytes(Hotlist.of({1, 2}).to_bytes())
    (folder / "tariff-0000000001.bundle").write_bytes(b"")
    again = press.kept(folder)
    assert (again.newest(HOTLIST), again.newest(TARIFF)) == (0, 0)
    again.take(press.hotlist(1, {1, 2, 3}), START)
    assert press.kept(folder).newest(HOTLIST) == 1


class PowerGoneError(Exception):
    """Nothing after it happens."""


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_terminal_that_dies_between_two_writes_has_the_old_list_whole(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writes of a hotlist are its array, its bundle and the mark of what is in force; each is the last one once."""
    press, folder, writes = Press(), tmp_path / "bundles", []
    real = write_atomically

    def dying(path: Path, data: bytes) -> None:
        writes.append(path)
        if len(writes) == cut:
            path.with_name(path.name + ".new").write_bytes(data[: len(data) // 2])
            raise PowerGoneError
        real(path, data)

    kept = press.kept(folder)
    kept.take(press.hotlist(1, {1, 2, 3}), START)
    assert number_in_force(kept, HOTLIST) == 1
    monkeypatch.setattr(kept_module, "write_atomically", dying)
    with pytest.raises(PowerGoneError):  # noqa: PT012  the third write comes with the second call
        kept.take(press.delta(2, {1, 2, 3}, {1, 2, 3, 4}), START)
        kept.in_force(HOTLIST, START)
    monkeypatch.undo()
    found = press.kept(folder).in_force(HOTLIST, START)
    assert found is not None
    assert (found.bundle.number, found.content.numbers()) == (
        (2, [1, 2, 3, 4]) if cut == 3 else (1, [1, 2, 3])
    )


KILLS: Final = 8
LISTS_MAX: Final = 12
"""Lists that a terminal stores before it is killed: as many as it is told to, however quick it is."""
WRITER = """
import sys
from pathlib import Path
from keys.bundle import BundleKind
from terminals.bundles.kept import KeptBundles, Trust
folder, city, key = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
kept = KeptBundles(folder / "kept", Trust(city, key, "validator"))
for _ in sys.stdin:
    path = folder / f"{kept.newest(BundleKind.HOTLIST) + 1}.made"
    kept.take(path.read_bytes(), int(sys.argv[4]))
    kept.in_force(BundleKind.HOTLIST, int(sys.argv[4]))
    print(kept.newest(BundleKind.HOTLIST), flush=True)
"""


def test_a_terminal_killed_while_it_stores_has_the_old_list_or_the_new_one(tmp_path: Path) -> None:
    press, dice, lists = Press(), random.Random(7), [set[int]()]
    for number in range(1, KILLS * (LISTS_MAX + 1) + 1):
        lists.append(lists[-1] | {dice.getrandbits(56) for _ in range(40)})
        made = press.delta(number, lists[-2], lists[-1]) if number > 1 else press.hotlist(1, lists[-1])
        (tmp_path / f"{number}.made").write_bytes(made)
    command = [sys.executable, "-c", WRITER, str(tmp_path), press.city.hex(), press.public.hex(), str(START)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    seen = [0]
    for _ in range(KILLS):
        with subprocess.Popen(command, **pipes) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            said = []
            for _ in range(dice.randint(1, LISTS_MAX)):
                writer.stdin.write("go on\n")
                said.append(writer.stdout.readline())
            writer.stdin.write("go on\n")  # and killed within this one
            time.sleep(dice.random() * 0.002)
            writer.send_signal(signal.SIGKILL)
            told = [int(line) for line in [*said, *writer.stdout] if line.endswith("\n")]
        kept = press.kept(tmp_path / "kept")
        newest = kept.newest(HOTLIST)
        found = kept.in_force(HOTLIST, START)
        assert found is not None
        assert newest in {told[-1], told[-1] + 1}
        assert (found.bundle.number, found.content.numbers()) == (newest, sorted(lists[newest]))
        seen.append(newest)
    assert seen == sorted(seen)
    assert seen[-1] > KILLS


def test_a_body_holds_what_its_kind_holds_and_nothing_else() -> None:
    good = contents.encode_limits(Limits())
    assert contents.decode_limits(good) == Limits()
    for body in (
        b"",
        b"\xff",
        b"\x80",
        b"\xa0",
        good + b"\x00",
        b"\xa1\x01\x02",
        good.replace(b"sale", b"sald"),
    ):
        with pytest.raises(BundleMalformed):
            contents.decode_limits(body)
    for days in ([3, 2], [2, 2], [-1], [True], list(range(1_001)), "no"):
        with pytest.raises(BundleMalformed, match="holidays"):
            contents.decode_calendar(cbor2.dumps({"holidays": days}))
    with pytest.raises(BundleMalformed, match="does not know"):
        contents.decode_keys(cbor2.dumps({"driver": [1]}))
    with pytest.raises(BundleMalformed, match="digest, added and removed"):
        hotlist.result_digest(cbor2.dumps([b"", b"", b""]))
