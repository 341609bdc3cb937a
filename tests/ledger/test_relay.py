"""Loads that the ledger runs itself: what a kiosk may do, what it may not, and a ledger that dies at any step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest

from card import far
from card.apdu import Ins
from card.batch import LOAD_CONTENT_TYPE, RELAYED_FROM, STEP_CONTENT_TYPE
from card.channel import CommMode
from card.layout import AID, File, TapKind
from hebat import laws
from hebat.application import application
from hebat.fleet import Post, enrol
from hebat.serving import LoopbackServer
from keys.device import device_secret, secret_beside, vault_passphrase
from keys.filevault import FileVault
from keys.identity import TerminalRole
from keys.vault import Role
from ledger.chart import purse
from ledger.errors import (
    BatchMalformed,
    BatchRefused,
    LoadRefused,
    LoadSessionGone,
    LoadStepRefused,
    NotWritten,
    Overloaded,
    SignatureRefused,
)
from ledger.intake import store
from ledger.intake.authorised import store as authorised
from ledger.intake.loads import Loads
from ledger.intake.receive import Intake
from ledger.relay.desk import SESSION_SECONDS, LoadDesk
from ledger.relay.session import parse_step
from ledger.wallets.loads.desk import OrderedLoads
from tests.ledger.desk import NOON, Scene
from tests.ledger.kiosk import AGENT, Kiosk

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.issuing import Issued
    from ledger.relay.told import Step

OK = b"\x91\x00"
COMMIT_STEP = 4
"""The step whose commands write the record and commit."""


@pytest.fixture
def kiosk(scene: Scene) -> Kiosk:
    return Kiosk(scene, 3101, scene.city.desk)


def restarted(scene: Scene) -> LoadDesk:
    """The desk of a ledger that was killed and started anew: it knows what the database holds, and nothing else."""
    city = scene.city
    city.intake = Intake(city.ledger, city.registry, city.vault, city.intake.tariffs, scene.clock)
    loads = Loads(city.ledger, city.registry, city.intake.intents, scene.clock)
    city.desk = LoadDesk(city.ledger, city.intake, loads, city.vault, scene.clock)
    city.ordered = OrderedLoads(city.ledger, city.registry, city.intake.intents, scene.clock)
    city.intake.after_batch.append(city.ordered.look)
    city.desk.ordered = city.ordered.uids
    return city.desk


def books(scene: Scene, card: Issued) -> tuple[int, int]:
    """A card's purse in the books, and what is held for it, in rupiah."""
    account = purse(card.identity.card_number)
    balance = scene.city.ledger.balance(account)
    return balance.net(account) // 100, (balance.credits_pending + balance.debits_pending) // 100


def check_whole(scene: Scene, *cards: Issued, receipted: int = 0) -> None:
    """Every law holds; chips and books agree and nothing is held. `receipted`: records that terminals sent themselves."""
    found = laws.look(laws.Evidence(scene.city, list(cards), receipted))
    assert [str(one) for one in found if not one.held] == []
    for card in cards:
        assert books(scene, card) == (card.chip_balance, 0)


def test_a_load_is_posted_when_the_kiosk_hears_of_it_and_takes_five_round_trips(
    scene: Scene, kiosk: Kiosk
) -> None:
    card = scene.card()
    told = kiosk.load(card)
    assert (told.colour, told.amount, told.balance) == ("green", 20_000, 20_000)
    assert told.sequence == RELAYED_FROM + 1
    assert told.receipt
    assert len(kiosk.sent) == 5
    check_whole(scene, card)


def test_a_kiosks_folder_holds_no_load_key_and_cannot_load(
    scene: Scene, kiosk: Kiosk, tmp_path: Path
) -> None:
    """Stolen whole, with its device's secret, outbox and identity: what is in it opens no card for a credit."""
    card, city = scene.card(), scene.city
    assert kiosk.load(card).colour == "green"
    with LoopbackServer(application(city)) as server:
        post = Post(3109, TerminalRole.KIOSK, AGENT)
        enrol(city, post, server.address, city.configuration.tariffs[0]).__exit__(None, None, None)
    folder = city.folder.terminal(3109)
    passphrase = vault_passphrase(device_secret(secret_beside(folder)))
    device = FileVault.open(folder / "device.vault", passphrase)
    assert (device.versions(Role.LOAD), device.versions(Role.TRANSACTION_MAC)) == ([], [])
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    assert [path.name for path in found if city.vault.shows_in(path.read_bytes())] == []
    assert not city.vault.shows_in(b"".join(kiosk.sent))
    card.chip.leave_field()
    key = device.card_key(Role.READ, 1, card.chip.uid)
    _, session = far.driven(far.authenticated(Role.READ.key_no, [key]), card.chip)
    credit = session.command(Ins.CREDIT, bytes((File.PURSE,)), CommMode.FULL, (20_000).to_bytes(4, "little"))
    assert far.carried(card.chip, [credit])[0][-2:] != OK
    assert card.chip_balance == 20_000


def test_the_replay_of_any_message_loads_nothing_twice(scene: Scene, kiosk: Kiosk) -> None:
    card = scene.card()
    kiosk.load(card)
    head = scene.city.ledger.head()
    with pytest.raises(LoadRefused, match="used already"):
        kiosk.line.begin(kiosk.sent[0])
    for body in kiosk.sent[1:-1]:
        with pytest.raises(LoadStepRefused, match="replay"):
            kiosk.line.step(body)
    assert kiosk.line.step(kiosk.sent[-1]).outcome is not None  # the last message again gets its answer again
    assert (scene.city.ledger.head(), card.chip_balance) == (head, 20_000)


def test_what_a_card_heard_once_it_does_not_take_again(scene: Scene, kiosk: Kiosk) -> None:
    """The commands of a whole load, kept by the kiosk and sent to the card again: the session's keys were another's."""
    card, heard = scene.card(), list[bytes]()
    step = kiosk.begin(card)
    while step.apdus:
        heard += step.apdus
        step = kiosk.go_on(step, card.chip)
    card.chip.leave_field()
    assert len(far.carried(card.chip, heard)) < len(heard)
    for apdu in heard:
        card.chip.transmit(apdu)
    assert card.chip_balance == 20_000


def test_a_message_that_is_lost_on_its_way_back_is_answered_again_word_for_word(
    scene: Scene, kiosk: Kiosk
) -> None:
    card = scene.card()
    body = kiosk.asked(card.chip.uid, 20_000)
    step = kiosk.line.begin(body)
    assert kiosk.line.begin(body) == step
    while step.apdus:
        body = kiosk.answered(step, far.carried(card.chip, step.apdus))
        step = kiosk.line.step(body)
        assert kiosk.line.step(body) == step
    check_whole(scene, card)


def test_a_kiosk_that_changes_the_amount_or_the_card_breaks_its_own_signature(
    scene: Scene, kiosk: Kiosk
) -> None:
    card = scene.card()
    body = kiosk.asked(card.chip.uid, 20_000)
    changed = body.replace((20_000).to_bytes(2, "big"), (20_001).to_bytes(2, "big"))
    assert changed != body
    with pytest.raises(SignatureRefused):
        kiosk.line.begin(changed)
    assert books(scene, card) == (0, 0)


def test_a_kiosk_that_changes_a_command_on_its_way_to_the_card_gets_nothing(
    scene: Scene, kiosk: Kiosk
) -> None:
    """Every command that the session protects, one bit changed: the chip refuses, and the hold goes back."""
    for place in range(5):
        card = scene.card()
        step = kiosk.until(kiosk.begin(card), card.chip, 3)
        apdus = list(step.apdus)
        apdus[place] = apdus[place][:6] + bytes((apdus[place][6] ^ 1,)) + apdus[place][7:]
        body = kiosk.answered(step, far.carried(card.chip, apdus))
        told = kiosk.line.step(body).outcome
        assert told is not None
        assert told.colour != "green"
        assert (card.chip_balance, books(scene, card)) == (0, (0, 0))


def test_a_kiosk_that_holds_another_card_than_it_asked_for_loads_neither(scene: Scene, kiosk: Kiosk) -> None:
    named, held = scene.card(), scene.card()
    step = kiosk.begin(named)
    while step.apdus:
        step = kiosk.go_on(step, held.chip)
    assert step.outcome is not None
    assert (step.outcome.colour, step.outcome.reason) == ("red", "foreign")
    check_whole(scene, named, held)


def test_a_kiosk_that_says_the_card_refused_when_it_did_not_pays_all_the_same(
    scene: Scene, kiosk: Kiosk
) -> None:
    """It keeps the commit's answer to itself: the hold stays until the card tells, and the card tells at the next tap."""
    card, bus = scene.card(), scene.desk(1101)
    step = kiosk.until(kiosk.begin(card), card.chip, COMMIT_STEP)
    far.carried(card.chip, step.apdus)
    told = kiosk.line.step(kiosk.answered(step, [b"\x91\x00" + bytes(8), b"\x91\xee"])).outcome
    assert told is not None
    assert (told.colour, card.chip_balance, books(scene, card)) == ("amber", 20_000, (0, 20_000))
    bus.tap(card, TapKind.FARE, 3_500)
    bus.send()
    check_whole(scene, card, receipted=1)
    assert books(scene, card) == (16_500, 0)


def test_two_kiosks_with_one_card_at_once_load_it_once_each_or_not_at_all(scene: Scene, kiosk: Kiosk) -> None:
    other, card = Kiosk(scene, 3102, scene.city.desk), scene.card()
    step = kiosk.until(kiosk.begin(card), card.chip, 3)
    card.chip.leave_field()
    assert other.load(card).colour == "green"
    with pytest.raises(LoadSessionGone, match="hold the card again"):
        kiosk.go_on(step, card.chip)
    check_whole(scene, card)
    assert card.chip_balance == 20_000


def test_a_kiosk_cannot_go_on_with_another_kiosks_load(scene: Scene, kiosk: Kiosk) -> None:
    thief, card = Kiosk(scene, 3103, scene.city.desk), scene.card()
    step = kiosk.begin(card)
    with pytest.raises(LoadSessionGone):
        thief.go_on(step, card.chip)
    assert kiosk.until(step, card.chip, 9).outcome is not None


def test_in_a_story_a_load_waits_for_the_storys_time_however_long_it_takes_to_tell(scene: Scene) -> None:
    kiosk, desk = Kiosk(scene, 3104, scene.city.desk), scene.city.desk
    kiosk.begin(scene.card())
    open_before = desk.open_sessions
    assert (desk.sweep(), open_before > 0) == (0, True)
    scene.clock.move_to(type(NOON)(scene.clock.now() + int(SESSION_SECONDS * 1000)))
    assert (desk.sweep(), desk.open_sessions) == (open_before, 0)


@pytest.mark.parametrize("number", range(1, COMMIT_STEP + 1))
def test_a_load_that_a_kiosk_keeps_open_ends_by_itself_and_frees_its_hold(scene: Scene, number: int) -> None:
    ticks = [0.0]
    city = scene.city
    loads = Loads(city.ledger, city.registry, city.intake.intents, scene.clock)
    desk = LoadDesk(city.ledger, city.intake, loads, city.vault, scene.clock, lambda: ticks[0])
    kiosk, card = Kiosk(scene, 3101, desk), scene.card()
    step = kiosk.until(kiosk.begin(card), card.chip, number)
    ticks[0] = SESSION_SECONDS
    assert (desk.sweep(), desk.open_sessions) == (1, 0)
    with pytest.raises(LoadSessionGone):
        kiosk.go_on(step, card.chip)
    if number < COMMIT_STEP:
        assert books(scene, card) == (0, 0)
        card.chip.leave_field()
    kiosk.load(card)
    check_whole(scene, card)
    assert card.chip_balance == 20_000


@pytest.mark.parametrize("again", ["time", "load"])
def test_a_load_whose_end_a_full_disk_would_not_take_is_ended_as_soon_as_it_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Three cards left three kiosks; nobody else waits for them, and none of their holds stays."""
    ticks, city = [0.0], scene.city
    loads = Loads(city.ledger, city.registry, city.intake.intents, scene.clock)
    desk = LoadDesk(city.ledger, city.intake, loads, city.vault, scene.clock, lambda: ticks[0])
    kiosks, cards = (
        [Kiosk(scene, number, desk) for number in (3101, 3102, 3103)],
        [scene.card() for _ in "123"],
    )
    for kiosk, card in zip(kiosks, cards, strict=True):
        kiosk.begin(card)
    ticks[0] = SESSION_SECONDS
    with monkeypatch.context() as full:
        full.setattr(Intake, "take_relayed", lambda *_: (_ for _ in ()).throw(NotWritten("the disk is full")))
        kiosk, card = Kiosk(scene, 3104, desk), scene.card()
        step = kiosk.begin(card)
        if again == "load":
            with pytest.raises(NotWritten):
                kiosks[0].begin(cards[1])
    assert kiosk.until(step, card.chip, 9).outcome is not None
    assert [books(scene, one) for one in cards] == [
        (0, 20_000),
        (0, 20_000 + 20_000 * (again == "load")),
        (0, 20_000),
    ]
    ticks[0] += SESSION_SECONDS
    if again == "time":
        desk.sweep()
    else:
        assert kiosks[0].load(cards[1]).colour == "green"
    assert desk.open_sessions == (again == "load")
    check_whole(scene, card, *cards)


def test_there_are_never_more_loads_under_way_than_the_limit(
    scene: Scene, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.relay.desk.SESSIONS_MAX", 1)
    kiosk.begin(scene.card())
    with pytest.raises(Overloaded):
        Kiosk(scene, 3102, scene.city.desk).begin(scene.card())
    assert kiosk.line.open_sessions == 1


@pytest.mark.parametrize("acts", [False, True])
@pytest.mark.parametrize("number", range(1, COMMIT_STEP + 2))
def test_a_ledger_that_dies_at_any_step_loads_at_most_once_and_its_books_close(
    scene: Scene, kiosk: Kiosk, number: int, acts: bool
) -> None:
    """Killed before the message of a step came, or after it was worked on and before its answer went out."""
    card = scene.card()
    step = kiosk.begin(card)
    for _ in range(1, number):
        step = kiosk.go_on(step, card.chip) if step.apdus else step
    if acts and step.apdus:
        kiosk.go_on(step, card.chip)
    elif step.apdus:
        far.carried(card.chip, step.apdus)
    kiosk.line = restarted(scene)
    if step.apdus:
        with pytest.raises(LoadSessionGone):
            kiosk.line.step(kiosk.answered(step, []))
    landed = card.chip_balance
    told = kiosk.load(card)
    assert told.colour == "green"
    assert card.chip_balance in {20_000, landed + 20_000}
    check_whole(scene, card)


def check_step_refused(kiosk: Kiosk, payload: bytes) -> None:
    with pytest.raises(BatchMalformed):
        kiosk.line.step(kiosk.desk.seal(payload, STEP_CONTENT_TYPE))


def test_what_is_no_step_is_refused(kiosk: Kiosk, scene: Scene) -> None:
    step: Step = kiosk.begin(scene.card())
    for fields in ([], [step.session, 1], [1, 1, []], [step.session, "1", []], [step.session, 1, [1]]):
        check_step_refused(kiosk, cbor2.dumps(fields))
    check_step_refused(kiosk, b"\xff")
    check_step_refused(kiosk, cbor2.dumps([step.session, 1, [b""] * 17]))
    check_step_refused(kiosk, cbor2.dumps([step.session, 1, [bytes(259)]]))
    check_step_refused(kiosk, bytes(9000))
    with pytest.raises(BatchMalformed, match="not application/ksh-load-step"):
        kiosk.line.step(kiosk.desk.seal(cbor2.dumps([step.session, 1, []]), LOAD_CONTENT_TYPE))
    with pytest.raises(BatchMalformed):
        kiosk.line.step(b"garbage")
    other = Kiosk(scene, 3104, scene.city.desk)
    forged = other.answered(step, []).replace((3104).to_bytes(4, "big"), (3101).to_bytes(4, "big"))
    with pytest.raises(SignatureRefused):
        kiosk.line.step(forged)
    assert parse_step(cbor2.dumps([b"s", 1, [b"a"]])) == (b"s", 1, [b"a"])


def test_a_terminal_may_not_write_under_the_numbers_of_loads(scene: Scene) -> None:
    bus, card = scene.desk(1101), scene.card(loaded=50_000)
    bus.sequence = bus.first = RELAYED_FROM
    bus.tap(card, TapKind.FARE, 3_500)
    with pytest.raises(BatchRefused, match="the ledger writes them"):
        bus.send()


def test_a_locked_or_expired_card_is_not_loaded_and_its_hold_goes_back(scene: Scene, kiosk: Kiosk) -> None:
    card = scene.card()
    scene.clock.move_to(type(NOON)(NOON + 4000 * 86_400_000))
    kiosk = Kiosk(scene, 3105, scene.city.desk)
    told = kiosk.load(card)
    assert (told.colour, told.reason) == ("red", "expired")
    assert books(scene, card) == (0, 0)


def test_a_purse_that_is_fuller_than_the_books_know_is_not_loaded_past_its_limit(
    scene: Scene, kiosk: Kiosk
) -> None:
    card = scene.card()
    card.chip.applications[AID].files[File.PURSE].value = 1_990_000
    told = kiosk.load(card)
    assert (told.colour, told.reason) == ("red", "refused")
    assert "2000000 rupiah at most" in told.detail
    assert books(scene, card) == (0, 0)


def test_a_load_leaves_one_signed_record_and_a_closed_row(scene: Scene, kiosk: Kiosk) -> None:
    card = scene.card()
    kiosk.load(card)
    with scene.city.ledger.database.transaction() as connection:
        row = authorised.load_of(connection, 3101, 1)
        batches = [one for one in store.all_batches(connection) if one.terminal == 3101]
    assert row is not None
    assert (row.state, row.intent, len(batches)) == (authorised.CLOSED, b"", 1)
    assert batches[0].first_sequence == RELAYED_FROM + 1
