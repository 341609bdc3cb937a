"""Cards of other kinds and answers that are none: a sentence that a conductor understands, never a crash, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import client, inspecting, management, ndef, purse
from card.applications import ApplicationSettings
from card.errors import CardError, CardForeign
from card.layout import AID, File, Journey, TapKind
from card.personalise import open_delivered, personalise
from card.purse import Change
from card.virtual import Generation, VirtualCard
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.money import Rupiah
from keys.vault import Role
from tests.card.chips import delivered
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from card.transport import Transport


class Answering:
    """A card that gives prepared answers, then falls silent as a card of another kind does."""

    uid = bytes([4, 9, 9, 9, 9, 9, 9])

    def __init__(self, answers: list[bytes], last: bytes = b"\x6d\x00") -> None:
        self._answers = iter(answers)
        self._last = last

    def transmit(self, apdu: bytes) -> bytes:
        return next(self._answers, self._last)


def half_made() -> VirtualCard:
    chip = delivered()
    management.create_application(open_delivered(chip), ApplicationSettings(AID, 6))
    return chip


def of_another_city(folder: Path) -> VirtualCard:
    vault = FileVault.create(folder / "other.vault", "x", 16)
    for role in Role:
        vault.add_master(role, 1, bytes([0xEE, role.key_no]) * 8)
    chip = delivered()
    personalise(chip, vault, IDENTITY)
    return chip


STRANGERS: dict[str, Callable[[Path], Transport]] = {
    "blank": lambda _folder: delivered(),
    "EV1": lambda _folder: delivered(generation=Generation.EV1),
    "half made": lambda _folder: half_made(),
    "of another city": of_another_city,
    "of another maker": lambda _folder: Answering([]),
    "a payment card": lambda _folder: Answering([], bytes.fromhex("6a82")),
    "mute": lambda _folder: Answering([], b""),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_card_of_another_kind_gets_a_sentence_without_a_number_or_a_name_of_ours(
    kind: str, vault: FileVault, tmp_path: Path
) -> None:
    stranger = STRANGERS[kind](tmp_path)
    before = stranger.save() if isinstance(stranger, VirtualCard) else b""
    with pytest.raises(CardError) as refused:
        purse.open_card(stranger, vault, Role.DEBIT)
    sentence = str(refused.value)
    assert kind == "mute" or isinstance(refused.value, CardForeign), sentence
    assert not any(word in sentence for word in ("status", "91", "0x", "APDU", "AID", "Error"))
    assert len(sentence) < 80
    assert before == (stranger.save() if isinstance(stranger, VirtualCard) else b"")


SHORT = st.binary(max_size=70)
STATUSED = st.builds(lambda data, status: data + bytes((0x91, status)), SHORT, st.integers(0, 255))
ANSWERS = st.lists(st.one_of(SHORT, STATUSED, st.builds(lambda data: data + b"\x91\x00", SHORT)), max_size=40)


def fare(card: Transport, vault: FileVault) -> object:
    open_ = purse.open_card(card, vault, Role.DEBIT)
    open_.stage(Change(TapKind.FARE, Rupiah(3_500), Journey(), 1, 1, UnixMs(1_795_000_000_000)))
    return open_.commit()


FLOWS: dict[str, Callable[[Transport, FileVault], object]] = {
    "fare": fare,
    "look": lambda card, _vault: purse.seen_now(card),
    "log": inspecting.last_records,
    "personalise": lambda card, vault: personalise(card, vault, IDENTITY, "https://kartu.example/t"),
    "phone": lambda card, _vault: ndef.read_address(card),
    "version": lambda card, _vault: management.version(client.free(card)),
    "settings": lambda card, _vault: management.file_settings(client.free(card), 1),
    "keys": lambda card, _vault: management.key_settings(client.free(card)),
}


@pytest.mark.parametrize("flow", FLOWS)
@given(answers=ANSWERS)
def test_whatever_a_card_answers_a_flow_ends_in_an_error_of_ours(
    flow: str, answers: list[bytes], vault: FileVault
) -> None:
    try:
        FLOWS[flow](Answering(answers), vault)
    except CardError as error:
        assert str(error)
    else:
        assert flow not in {"fare", "personalise"}


@pytest.mark.parametrize("flow", ["fare", "log", "personalise"])
@given(
    place=st.integers(1, 60),
    flips=st.lists(st.tuples(st.integers(0, 80), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_an_answer_with_changed_bytes_never_crashes_a_flow(
    flow: str, place: int, flips: list[tuple[int, int]], vault: FileVault
) -> None:
    chip = delivered(7)
    if flow != "personalise":
        personalise(chip, vault, IDENTITY)

    class Between:
        uid, count = chip.uid, 0

        def transmit(self, apdu: bytes) -> bytes:
            answer = bytearray(chip.transmit(apdu))
            self.count += 1
            for at, change in flips if self.count == place else []:
                answer[at % len(answer)] ^= change
            return bytes(answer)

    try:
        FLOWS[flow](Between(), vault)
    except CardError as error:
        assert str(error)
    value = (
        chip.applications[AID].files[File.PURSE].value
        if AID in chip.applications and flow != "personalise"
        else 0
    )
    assert value == 0
