"""What a city has to explain, as a client of the API is told it: clones, shadow balances below zero, settled and voided intents, missing counters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from card.batch import Context, RecordStatus, TapRecord
from card.layout import TapKind
from hebat.application import application
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.clock import UnixMs, day_of
from keys.identity import TerminalRole
from keys.money import Rupiah
from tests.empty import new_database
from tests.ledger.desk import DAY, Desk, Scene, open_scene
from tests.ledger.tokens import staff

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_MS = 24 * 3_600_000


@dataclass
class Told:
    """A city that is served, and a client that asks it."""

    scene: Scene
    http: httpx2.Client

    def send(self, desk: Desk) -> list[dict[str, Any]]:
        """Send a desk's batch; one result a record."""
        body = desk.body()
        answer = self.http.post("/v1/batches", content=body, headers={"Content-Type": "application/cose"})
        assert answer.status_code == 200, answer.text
        desk.next_batch(body)
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def of(self, desk: Desk) -> list[tuple[int, str, str]]:
        """What is to be explained of a terminal's records: number, kind and sentence."""
        page = self.http.get("/v1/exceptions", params={"terminal": desk.number}).json()
        assert page["next"] is None
        assert all(row["terminal"] == desk.number for row in page["rows"])
        assert all(row["raised_at"] >= self.scene.clock.now() - DAY_MS for row in page["rows"])
        return [(row["sequence"], row["kind"], row["detail"]) for row in page["rows"]]

    def resolution_of(self, desk: Desk) -> list[tuple[str, str]]:
        """What became of a terminal's records that were not posted: reason and end."""
        rows = self.http.get("/v1/quarantine", params={"terminal": desk.number}).json()["rows"]
        return [(row["reason"], row["resolution"]) for row in rows]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    url = ""
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres"), empty=True)
    scene = open_scene(Folder(tmp_path_factory.mktemp("told") / "city", url), fresh=True)
    with (
        scene.city,
        LoopbackServer(application(scene.city)) as server,
        httpx2.Client(base_url=server.address, timeout=60, headers=staff(scene.city)) as client,
    ):
        yield Told(scene, client)


def test_two_chips_with_one_counter_are_told_as_a_clone(told: Told) -> None:
    card = told.scene.card(loaded=50_000)
    clone = replace(card, chip=card.chip.clone())
    one, two = told.scene.desk(1201), told.scene.desk(1202)
    tapped = one.tap(card, TapKind.FARE, 3_500)
    two.tap(clone, TapKind.FARE, 4_000)
    assert [result["result"] for result in told.send(one)] == ["posted"]
    assert told.send(two) == [{"sequence": 1, "result": "quarantined", "reason": "conflict"}]
    assert told.of(two) == [
        (
            1,
            "clone_or_replay",
            f"counter {tapped.tmc} of this card stands for another transaction: a clone or a replay",
        )
    ]
    assert told.of(one) == []


def test_a_purse_below_zero_in_the_books_is_told(told: Told) -> None:
    card, kiosk = told.scene.card(), told.scene.desk(3901, TerminalRole.KIOSK, 701)
    bus = told.scene.desk(1203)
    kiosk.tap(card, TapKind.LOAD, 50_000)
    bus.tap(card, TapKind.FARE, 3_500)
    assert [result["result"] for result in told.send(bus)] == ["posted"]
    assert told.of(bus) == [(1, "negative_shadow", "the books are 350000 sen below what the card has spent")]


@pytest.mark.parametrize("witness_first", [True, False], ids=["witness first", "intent first"])
def test_an_intent_that_a_witness_settles_is_told(told: Told, *, witness_first: bool) -> None:
    card, city = told.scene.card(loaded=50_000), told.scene.city
    bus, gate = (told.scene.desk(1204 + 10 * witness_first + at) for at in range(2))
    torn = bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
    known = city.registry.card(card.uid)
    assert known is not None
    tmv = city.intake.assessor.tmv_of(known, torn.tmc, torn.tmi)
    gate.add(
        TapRecord(
            1, RecordStatus.WITNESS, None, torn.uid, 0, b"", b"", Rupiah(0), torn.occurred_at, torn.tmc, tmv, Context()
        )
    )  # fmt: skip
    for desk in (gate, bus) if witness_first else (bus, gate):
        told.send(desk)
    assert told.of(bus) == [(1, "intent_settled", "the card shows that the unconfirmed transaction happened")]
    assert told.resolution_of(bus) == [("unconfirmed", "witnessed")]


def test_an_intent_that_never_happened_is_told(told: Told) -> None:
    card = told.scene.card(loaded=50_000)
    bus, other = told.scene.desk(1206), told.scene.desk(1207)
    bus.tap(card, TapKind.FARE, 3_500, confirmed=False, commits=False)
    told.send(bus)
    other.tap(card, TapKind.FARE, 3_500)
    assert [result["result"] for result in told.send(other)] == ["posted"]
    assert told.of(bus) == [(1, "intent_voided", "the card shows that the transaction never happened")]
    assert told.resolution_of(bus) == [("unconfirmed", "voided")]


def test_counters_that_no_terminal_sent_are_told_by_the_night(told: Told) -> None:
    card = told.scene.card(loaded=50_000)
    silent, bus = told.scene.desk(1208), told.scene.desk(1209)
    for _ in range(2):
        silent.tap(card, TapKind.FARE, 3_500)
    seen = bus.tap(card, TapKind.FARE, 3_500)
    assert [result["result"] for result in told.send(bus)] == ["posted"]
    assert told.of(bus) == []
    told.scene.clock.move_to(UnixMs(told.scene.clock.now() + DAY_MS))
    told.scene.city.night.run(day_of(DAY))
    named = (
        f"counters {seen.tmc - 2} to {seen.tmc - 1} of the card came from no terminal; counter {seen.tmc} did"
    )
    assert told.of(bus) == [(1, "counter_missing", f"{named}: find the terminal that has not sent")]
