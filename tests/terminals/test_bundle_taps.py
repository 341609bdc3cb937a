"""What bundles do to taps: the fare of the day, blocked cards, limits, holidays, keys out of use; and how they are fetched."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx2
import pytest

from card.batch import decode_record
from card.layout import AID, Concession, File
from card.personalise import personalise
from card.virtual import VirtualCard
from keys.bundle import BundleKind
from keys.clock import service_day
from keys.identity import TerminalIdentity
from keys.money import Rupiah
from keys.vault import Role
from terminals.bundles import contents
from terminals.bundles.contents import Limits
from terminals.bundles.fetch import refresh
from terminals.errors import Offline, UploadRefused
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import Outbox
from terminals.tap import Colour
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link
from tests.terminals.depot import IDENTITY, PLACE, START, Clock, Ledger, card, value_of
from tests.terminals.press import DAY_MS, Press

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from keys.filevault import FileVault
    from terminals.bundles.kept import KeptBundles


@dataclass
class Shelf:
    """A ledger's shelf of bundles: the newest number of each kind, and what it answers in order."""

    newest: dict[str, int] = field(default_factory=dict)
    answers: list[bytes] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def get(self, path: str, query: Mapping[str, str], bytes_max: int) -> bytes | None:
        if path == "/v1/bundles":
            return json.dumps(self.newest).encode()
        self.asked.append({"kind": path.rpartition("/")[2], **query})
        return self.answers.pop(0) if self.answers else None


@dataclass
class Bus:
    terminal: Terminal
    kept: KeptBundles
    press: Press
    clock: Clock
    vault: FileVault


@pytest.fixture
def bus(tmp_path: Path, shared_vault: FileVault, still: Clock) -> Iterator[Bus]:
    press, identity = Press(), TerminalIdentity(tmp_path / "bus")
    kept = press.kept(tmp_path / "bus" / "bundles")
    link = Link(
        httpx2.Client(base_url="http://127.0.0.1:9"), 1001, identity.sign, bytes(32), still, attempts=1
    )
    parts = Parts(
        1001, Outbox(tmp_path / "bus" / "outbox.db"), shared_vault, link, still, TRANS_SEMARANG_2022, kept
    )
    with Terminal(parts) as made:
        yield Bus(made, kept, press, still, shared_vault)


def last_tariff(bus: Bus) -> str:
    raw = bus.terminal.outbox._db.execute("SELECT raw FROM records ORDER BY sequence DESC").fetchone()[0]
    return decode_record(raw, bus.terminal.outbox.next_sequence - 1).context.tariff


def test_a_new_fare_is_taken_from_its_date_on_and_the_record_names_its_number(bus: Bus) -> None:
    assert bus.terminal.fare(card(bus.vault), PLACE).amount == 3_500
    assert last_tariff(bus) == TRANS_SEMARANG_2022.version
    bus.kept.take(bus.press.tariff(7, 4_000, at=START + DAY_MS), START)
    assert bus.terminal.fare(card(bus.vault, serial=2), PLACE).amount == 3_500
    bus.clock.wait(86_400)
    assert bus.terminal.fare(card(bus.vault, serial=3), PLACE).amount == 4_000
    assert last_tariff(bus) == "semarang#7"


def test_on_a_holiday_of_the_calendar_a_pupil_pays_the_full_fare(bus: Bus) -> None:
    pupil = VirtualCard(bytes([4, 0, 0, 0, 0, 0, 8]))
    personalise(pupil, bus.vault, replace(IDENTITY, concession=Concession.PUPIL))
    pupil.applications[AID].files[File.PURSE].value = 50_000
    assert bus.terminal.fare(pupil, PLACE).amount == 1_000
    day = service_day(START)
    body = contents.encode_calendar(frozenset({type(day)(day + 1)}))
    bus.kept.take(bus.press.seal(BundleKind.CALENDAR, 1, body), START)
    bus.clock.wait(86_400)
    outcome = bus.terminal.fare(pupil, PLACE)
    assert (outcome.amount, outcome.rules) == (3_500, ("full:pupil-rest-day",))


def test_a_card_that_is_taken_off_the_list_rides_again(bus: Bus) -> None:
    chip = card(bus.vault)
    uid = int.from_bytes(chip.uid, "big")
    bus.kept.take(bus.press.hotlist(1, {uid, 5}), START)
    assert bus.terminal.fare(chip, PLACE).reason == "blocked"
    bus.kept.take(bus.press.delta(2, {uid, 5}, {5}), START)
    assert bus.terminal.fare(chip, PLACE).colour is Colour.GREEN


def test_a_card_that_was_torn_before_it_was_blocked_still_tells_that_it_paid(bus: Bus) -> None:
    chip = card(bus.vault)
    chip.tear(12, acts=True)
    assert bus.terminal.fare(chip, PLACE).colour is Colour.AMBER
    bus.kept.take(bus.press.hotlist(1, {int.from_bytes(chip.uid, "big")}), START)
    assert bus.terminal.fare(chip, PLACE).colour is Colour.GREEN
    assert bus.terminal.fare(chip, PLACE).reason == "blocked"
    assert value_of(chip) == 46_500


def test_sales_and_loads_keep_to_the_citys_limits(bus: Bus) -> None:
    limits = contents.encode_limits(Limits(Rupiah(20_000), Rupiah(30_000)))
    bus.kept.take(bus.press.seal(BundleKind.LIMITS, 1, limits), START)
    chip = card(bus.vault)
    sale, load = bus.terminal.sale(chip, Rupiah(20_001)), bus.terminal.load(chip, Rupiah(30_001))
    assert (sale.reason, sale.detail) == ("over-limit", "one sale may take 20000 rupiah at most: enter less")
    assert (load.reason, load.colour) == ("over-limit", Colour.RED)
    assert bus.terminal.sale(chip, Rupiah(20_000)).colour is Colour.GREEN
    assert value_of(chip) == 30_000
    with pytest.raises(Offline):
        bus.terminal.load(chip, Rupiah(30_000))


def test_a_key_version_out_of_use_opens_no_card(bus: Bus) -> None:
    chip = card(bus.vault)
    bus.kept.take(bus.press.seal(BundleKind.KEYS, 1, contents.encode_keys({Role.DEBIT: (2,)})), START)
    assert bus.terminal.fare(chip, PLACE).reason == "foreign"
    bus.kept.take(bus.press.seal(BundleKind.KEYS, 2, contents.encode_keys({Role.DEBIT: (1, 2)})), START)
    assert bus.terminal.fare(chip, PLACE).colour is Colour.GREEN


def test_a_terminal_fetches_what_is_newer_and_asks_for_the_full_list_after_a_gap(bus: Bus) -> None:
    bus.kept.take(bus.press.hotlist(1, {1}), START)
    shelf = Shelf({"hotlist": 4, "limits": 0, "driver": 9})
    shelf.answers = [bus.press.delta(4, {1, 2}, {2}), bus.press.hotlist(4, {2})]
    done = refresh(bus.kept, shelf, bus.clock)
    assert [(one.kind, one.number, one.base) for one in done.taken] == [("hotlist", 4, 0)]
    assert done.refused == []
    assert [(one["have"], one["full"]) for one in shelf.asked] == [
        ("1", "false"),
        ("1", "true"),
        ("4", "true"),
    ]


def test_one_refused_bundle_keeps_no_other_away(bus: Bus) -> None:
    shelf = Shelf({"tariff": 2, "hotlist": 3})
    shelf.answers = [Press().tariff(2, 1), bus.press.hotlist(3, {9})]
    done = refresh(bus.kept, shelf, bus.clock)
    assert [one.kind for one in done.taken] == ["hotlist"]
    assert len(done.refused) == 1
    assert "not the city's" in done.refused[0]


def test_a_ledger_that_always_has_another_one_is_not_asked_for_ever(bus: Bus) -> None:
    shelf = Shelf({"tariff": 1_000})
    shelf.answers = [bus.press.tariff(number, number) for number in range(1, 100)]
    done = refresh(bus.kept, shelf, bus.clock)
    assert (len(done.taken), len(shelf.asked)) == (16, 16)
    assert "more than 16 bundles of tariff" in done.refused[0]


def test_without_a_ledger_what_is_here_stays_in_force(bus: Bus) -> None:
    bus.kept.take(bus.press.tariff(1, 4_000), START)
    assert "does not answer" in bus.terminal.refresh().refused[0]
    assert bus.terminal.fare(card(bus.vault), PLACE).amount == 4_000


@pytest.mark.parametrize("said", [b"no json", b"[]", b'{"tariff": "9"}', b'{"tariff": true}'])
def test_a_list_that_is_none_asks_for_nothing(said: bytes, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    monkeypatch.setattr(shelf, "get", lambda *_: said)
    done = refresh(bus.kept, shelf, bus.clock)
    assert done.taken == []
    assert bool(done.refused) is (said == b"no json")


def answering(status: int, body: bytes) -> Link:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body)

    client = httpx2.Client(base_url="http://ledger", transport=httpx2.MockTransport(answer))
    return Link(client, 1001, lambda _: b"", Ledger().key.public_key().public_bytes_raw(), Clock())


def test_an_answer_is_taken_up_to_its_limit_and_nothing_is_none() -> None:
    assert answering(200, b"12345").get("/x", {}, 5) == b"12345"
    for status in (204, 304, 404):
        assert answering(status, b"").get("/x", {}, 5) is None
    with pytest.raises(UploadRefused, match="more than 5 bytes"):
        answering(200, b"123456").get("/x", {}, 5)
    with pytest.raises(UploadRefused, match="500"):
        answering(500, b"").get("/x", {}, 5)
