"""One city proves and decides by columns, its twin record by record: the same batches leave the same bytes in both."""

from __future__ import annotations

import os
import random
import shutil
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from card.batch import Context, RecordStatus, TapRecord, encode_record
from card.layout import TapKind
from hebat import wiring
from hebat.folder import Folder
from hebat.load.riders import riders
from hebat.vaults import city_vault
from keys.clock import UnixMs
from keys.identity import TerminalRole, read_certificate
from keys.money import Rupiah
from keys.rights import Right, Rights
from ledger.chain.store import read_rows
from ledger.chart import purse
from ledger.intake import store
from ledger.intake.quarantine import store as quarantine
from tests.ledger.desk import MERCHANT, OPERATOR, open_scene

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.load.riders import Rider
    from ledger.intake.receipt import Answer
    from tests.ledger.desk import Desk, Scene

SEEDS = range(40 if os.environ.get("HEBAT_LONG") else 4)
BATCHES, RECORDS = 8, 14
LIES = [
    {"tmv": bytes(8)}, {"amount": Rupiah(-500)}, {"kind": TapKind.TAP_OUT}, {"uid": bytes(7)}, {"tmc": 99}, {"seen_tmc": 0, "seen_tmv": b""},
    {"occurred_at": UnixMs(1_795_000_000_000)}, {"context": Context("\u00e9", "stop\x00", "", "2026-1", ("concession:pupil",))},
]  # fmt: skip


def enrolled(scene: Scene, number: int, role: TerminalRole, rights: Rights) -> Desk:
    desk = scene.desk(number, role, MERCHANT if role is TerminalRole.MERCHANT else OPERATOR)
    pem = scene.city.authority.enrol(desk.identity.request(), number, role, desk_owner(role), rights=rights)
    scene.city.registry.add_terminal(read_certificate(pem, scene.city.root, scene.clock.now()))
    return desk


def desk_owner(role: TerminalRole) -> int:
    return MERCHANT if role is TerminalRole.MERCHANT else OPERATOR


def desks_of(scene: Scene) -> list[Desk]:
    fare, sale = frozenset({Right.FARE}), frozenset({Right.SALE})
    return [
        scene.desk(1001),
        enrolled(scene, 1002, TerminalRole.VALIDATOR, Rights(fare, Rupiah(30_000))),
        enrolled(scene, 1003, TerminalRole.VALIDATOR, Rights(fare, Rupiah(9_000_000), (2, 3))),
        enrolled(scene, 2001, TerminalRole.MERCHANT, Rights(sale, Rupiah(9_000_000))),
    ]


class Crowd:
    """People with cards who do what a seed says."""

    def __init__(self, seed: int, people: list[Rider], now: UnixMs) -> None:
        self.dice = random.Random(seed)
        self.people = people
        self.now = now

    def record(self, desk: Desk) -> TapRecord:
        """One tap, honest or not, as the desk's next record."""
        one, dice = self.dice.choice(self.people), self.dice
        if dice.random() < 0.08:
            one = copy(one)  # a clone, or a card that never committed
        kind = (
            TapKind.SALE if desk.number > 2000 else dice.choice([TapKind.FARE, TapKind.FARE, TapKind.TAP_IN])
        )
        if dice.random() < 0.04:
            kind = dice.choice([TapKind.LOAD, TapKind.SALE, TapKind.REFUND])
        at = UnixMs(self.now + 1000 * dice.choice([0, 0, 0, 0, -200, -400, 400, -4_000_000]))
        amount = dice.choice([0, 1_000, 3_500, 25_000])
        rules = dice.choice([(), ("concession:pupil",), ("transfer",), ("concession:pupil", "transfer")])
        place = Context("1", "Simpang Lima", "", dice.choice(["2026-1", "TS-2022", ""]), rules)
        tap = one.tap(kind, amount, at, desk.number, desk.sequence, place, moved_on=dice.random() < 0.5)
        return self._bent(tap)

    def _bent(self, tap: TapRecord) -> TapRecord:
        what = self.dice.random()
        if what < 0.08:
            return replace(tap, status=RecordStatus.UNCONFIRMED, tmv=b"")
        if what < 0.14:
            return replace(tap, status=RecordStatus.WITNESS, kind=None, tmi=b"", amount=Rupiah(0))
        return replace(tap, **self.dice.choice(LIES)) if what < 0.24 else tap  # type: ignore[arg-type]

    def raws(self, desk: Desk) -> list[bytes]:
        """The records of a batch."""
        found = []
        for _ in range(self.dice.randint(1, RECORDS)):
            record = self.record(desk)
            found.append(b"\xffgarbage" if self.dice.random() < 0.02 else encode_record(record))
            desk.sequence += 1
        return found


def left(scene: Scene) -> dict[str, Any]:
    """What is in the books."""
    with scene.city.ledger.database.transaction() as connection:
        return {
            "taps": list(store.all_taps(connection)),
            "quarantine": quarantine.read_quarantine(connection),
            "exceptions": sorted(quarantine.read_exceptions(connection), key=str),
            "batches": list(store.all_batches(connection)),
            "rows": [chunk.tobytes() for chunk in read_rows(connection)],
        }


def twin_of(folder: Folder, where: Path, patched: pytest.MonkeyPatch) -> Scene:
    """A copy of a closed city whose vault gives one Transaction MAC at a time."""
    shutil.copytree(folder.root, where)
    with patched.context() as once:
        once.setattr(wiring, "ledger_vault", city_vault)
        return open_scene(Folder(where), fresh=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_and_single_records_leave_the_same_journal_and_answers(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path / "city")
    first = open_scene(folder, fresh=True)
    with first.city:
        people = riders(first.city.vault, 9)
        first.city.registry.add_cards([one.registered() for one in people])
        desks = desks_of(first)
        first.city.blocks.block(people[0].registered(), "lost", first.clock.now())
    twin = twin_of(folder, tmp_path / "twin", monkeypatch)
    first = open_scene(folder, fresh=False)
    with first.city, twin.city:
        crowd = Crowd(seed, people, first.clock.now())
        for _ in range(BATCHES):
            desk = crowd.dice.choice(desks)
            desk.city = first.city
            body = desk.body(crowd.raws(desk))
            desk.next_batch(body)
            one, other = told(first, body), told(twin, body)
            assert one.results == other.results
            assert one.receipt == other.receipt
            assert one.encoded() == other.encoded()
        assert [type(scene.city.vault).__name__ for scene in (first, twin)] == ["LedgerVault", "FileVault"]
        assert left(first) == left(twin)
        assert {"posted", "quarantined"} <= {
            row["result"] for batch in left(first)["batches"] for row in batch.results
        }
        for person in people:
            account = purse(person.identity.card_number)
            assert first.city.ledger.balance(account) == twin.city.ledger.balance(account)


def told(scene: Scene, body: bytes) -> Answer:
    answer = scene.city.intake.receive(body)
    assert scene.city.intake.receive(body) == answer  # a reply that was lost, and the batch sent again
    return answer
