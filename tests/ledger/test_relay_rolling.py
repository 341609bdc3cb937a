"""New keys behind a load, through a kiosk that is not believed: what it is told and when, and what it gains by lying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import client, far, management
from card.layout import AID
from keys.vault import KeyName, Purpose
from ledger.errors import LoadStepRefused
from ledger.intake.key_versions import ACCESS
from tests.ledger.kiosk import Kiosk

if TYPE_CHECKING:
    from hebat.issuing import Issued
    from ledger.relay.told import Step
    from tests.ledger.desk import Scene

KEYS = len(ACCESS)
OLD, NEW = bytes((1,)) * KEYS, bytes((2,)) * KEYS
OK = b"\x91\x00"
GREEN_MESSAGES, ALL_MESSAGES = 5, 9
TO_CHANGE = 2
"""Round trips from green to the commands that change keys."""


@pytest.fixture
def kiosk(scene: Scene) -> Kiosk:
    return Kiosk(scene, 3101, scene.city.desk)


@pytest.fixture
def card(scene: Scene) -> Issued:
    """A card of before the city's keys were rolled."""
    made = scene.card()
    for role in ACCESS:
        scene.city.vault.generate_key(KeyName(role.value, 2), Purpose.CARD)
    return made


def on_chip(card: Issued) -> bytes:
    card.chip.leave_field()
    client.select(card.chip, AID)
    return bytes(management.key_version(client.free(card.chip), number) for number in range(KEYS))


def known(scene: Scene, card: Issued) -> tuple[bytes, bytes]:
    found = scene.city.registry.card(card.uid)
    assert found is not None
    return found.versions[:KEYS], found.coming[:KEYS]


def at(kiosk: Kiosk, card: Issued, further: int = 0) -> Step:
    """An honest conversation up to green, and some round trips on."""
    step = kiosk.begin(card)
    while step.outcome is None:
        step = kiosk.go_on(step, card.chip)
    for _ in range(further):
        step = kiosk.go_on(step, card.chip)
    return step


def finish(kiosk: Kiosk, card: Issued, step: Step) -> None:
    while step.apdus:
        step = kiosk.go_on(step, card.chip)
    assert step.outcome is not None
    assert step.outcome.colour == "green"


def test_green_and_receipt_come_before_the_first_command_for_the_keys(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    step = at(kiosk, card)
    assert step.outcome is not None
    assert (step.outcome.colour, card.chip_balance) == ("green", 20_000)
    assert step.outcome.receipt
    assert step.apdus
    assert on_chip(card) == OLD
    card.chip.leave_field()
    finish(kiosk, card, step)
    assert len(kiosk.sent) == ALL_MESSAGES
    assert (on_chip(card), known(scene, card)) == (NEW, (NEW, b""))


def test_a_kiosk_that_says_the_keys_are_new_already_is_found_out_by_the_card(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    step = at(kiosk, card)
    answers = far.carried(card.chip, step.apdus)
    answers[2:7] = [b"\x02" + OK] * 5
    finish(kiosk, card, kiosk.line.step(kiosk.answered(step, answers)))
    assert on_chip(card) == known(scene, card)[0] == NEW[:1] + OLD[1:]
    kiosk.load(card)
    assert (on_chip(card), known(scene, card)) == (NEW, (NEW, b""))


def test_a_kiosk_that_lies_about_the_master_key_changes_nothing(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    for lie in (b"\x02", b"\x09", b"", b"\x01\x01"):
        step = at(kiosk, card)
        answers = far.carried(card.chip, step.apdus)
        answers[1] = lie + OK
        finish(kiosk, card, kiosk.line.step(kiosk.answered(step, answers)))
        assert (on_chip(card), known(scene, card)) == (OLD, (bytes(OLD), b""))
        card.chip.leave_field()


def test_a_kiosk_that_keeps_the_change_of_the_master_key_to_itself_cannot_have_it_believed(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    step = at(kiosk, card, TO_CHANGE)
    answers = far.carried(card.chip, [*step.apdus[:5], step.apdus[6]])
    answers.insert(5, OK)
    finish(kiosk, card, kiosk.line.step(kiosk.answered(step, answers)))
    assert on_chip(card) == OLD[:1] + NEW[1:]
    assert known(scene, card) == (OLD, NEW)
    kiosk.load(card)
    assert (on_chip(card), known(scene, card)) == (NEW, (NEW, b""))


def test_a_command_for_a_key_with_one_bit_changed_is_refused_by_the_card(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    for place in range(6):
        step = at(kiosk, card, TO_CHANGE)
        before = on_chip_while_open(card)
        apdus = list(step.apdus)
        apdus[place] = apdus[place][:7] + bytes((apdus[place][7] ^ 1,)) + apdus[place][8:]
        finish(kiosk, card, kiosk.line.step(kiosk.answered(step, far.carried(card.chip, apdus))))
        after = on_chip(card)
        assert after[1 + place :] == before[1 + place :]
        assert after[0] == 1
        card.chip.leave_field()
    kiosk.load(card)
    assert (on_chip(card), known(scene, card)) == (NEW, (NEW, b""))


def on_chip_while_open(card: Issued) -> bytes:
    """Looked at as only whoever made the chip can."""
    return bytes(slot.version for slot in card.chip.applications[AID].keys)


def test_the_replay_of_a_change_of_keys_is_refused(scene: Scene, kiosk: Kiosk, card: Issued) -> None:
    kiosk.load(card)
    for body in kiosk.sent[1:-1]:
        with pytest.raises(LoadStepRefused, match="replay"):
            kiosk.line.step(body)
    assert (on_chip(card), card.chip_balance) == (NEW, 20_000)


def test_a_card_whose_old_key_was_retired_keeps_it_and_is_not_tried_again(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    scene.city.vault.retire(ACCESS[2], 1)
    kiosk.load(card)
    assert (on_chip(card), known(scene, card)[0]) == (bytes((2, 2, 1, 2, 2, 2)),) * 2
    kiosk.sent.clear()
    kiosk.load(card)
    assert len(kiosk.sent) == GREEN_MESSAGES


def test_a_newer_load_of_the_card_ends_the_change_of_its_keys(
    scene: Scene, kiosk: Kiosk, card: Issued
) -> None:
    at(kiosk, card, TO_CHANGE)
    card.chip.leave_field()
    kiosk.load(card)
    assert (on_chip(card), known(scene, card), card.chip_balance) == (NEW, (NEW, b""), 40_000)
