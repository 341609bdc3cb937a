"""A debit, a load and a look at the log, on a virtual chip, and what the chip's signature proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from card import client, evidence, inspecting, purse
from card.apdu import Ins, Status
from card.errors import Acted, CardForeign, CardRefused, EvidenceError, SessionBroken, StatusError
from card.layout import AID, File, Journey, JourneyState, LogRecord, TapKind
from card.purse import Change, OpenCard
from card.virtual import VirtualCard
from keys.clock import UnixMs
from keys.money import Rupiah
from keys.vault import Role
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.filevault import FileVault

AT = UnixMs(1_795_000_000_000)
JOURNEY = Journey(
    JourneyState.OUTSIDE,
    1_795_000_000,
    7,
    1,
    1_795_000_000,
    Rupiah(3_500),
    day_total=Rupiah(3_500),
    last_terminal=1001,
)


def change(kind: TapKind, amount: int, sequence: int = 1, journey: Journey | None = None) -> Change:
    return Change(kind, Rupiah(amount), journey, 1001, sequence, AT, 42)


def load(card: VirtualCard, vault: FileVault, amount: int) -> purse.Evidence:
    open_ = purse.open_card(card, vault, Role.LOAD)
    open_.stage(change(TapKind.LOAD, amount))
    return open_.commit()


def ride(card: VirtualCard, vault: FileVault, amount: int = 3_500, sequence: int = 2) -> purse.Evidence:
    open_ = purse.open_card(card, vault, Role.DEBIT)
    open_.stage(change(TapKind.FARE, amount, sequence, JOURNEY))
    return open_.commit()


def value(card: VirtualCard) -> int:
    return card.applications[AID].files[File.PURSE].value


def test_a_debit_takes_value_and_its_evidence_says_everything(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 50_000)
    proof = ride(card, vault)
    key = vault.card_key(Role.TRANSACTION_MAC, 1, card.uid)
    found = evidence.parse(proof.tmi)
    assert value(card) == 46_500
    assert evidence.verify(key, proof.uid, proof.tmc, proof.tmi, proof.tmv)
    assert (found.balance_before, found.amount, found.record.balance_after) == (50_000, -3_500, 46_500)
    assert (found.identity, found.journey_after) == (IDENTITY, JOURNEY)
    assert (found.reader.terminal, found.reader.sequence) == (1001, 2)
    before = evidence.previous_reader(key, proof.uid, proof.tmc, found.encrypted_previous_reader)
    assert before is not None
    assert (before.terminal, before.sequence) == (1001, 1)


def test_law_02_no_changed_bit_of_the_evidence_verifies(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 50_000)
    proof = ride(card, vault)
    key = vault.card_key(Role.TRANSACTION_MAC, 1, card.uid)
    for place in range(8 * len(proof.tmi)):
        changed = bytearray(proof.tmi)
        changed[place // 8] ^= 1 << place % 8
        assert not evidence.verify(key, proof.uid, proof.tmc, bytes(changed), proof.tmv)
    assert not evidence.verify(key, proof.uid, proof.tmc + 1, proof.tmi, proof.tmv)
    assert not evidence.verify(key, bytes(7), proof.tmc, proof.tmi, proof.tmv)


def test_a_fare_takes_twelve_exchanges(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 50_000)
    before = card._exchanges
    ride(card, vault)
    assert card._exchanges - before == 12


def test_a_free_ride_is_signed_too_and_moves_nothing(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 10_000)
    proof = ride(card, vault, 0)
    assert evidence.parse(proof.tmi).amount == 0
    assert value(card) == 10_000


def test_an_empty_purse_is_refused_in_words_and_keeps_its_value(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 1_000)
    open_ = purse.open_card(card, vault, Role.DEBIT)
    with pytest.raises(CardRefused, match="1000 rupiah and 3500 are due"):
        open_.stage(change(TapKind.FARE, 3_500))
    assert value(card) == 1_000


def test_an_unregistered_purse_holds_two_million_and_not_a_rupiah_more(
    card: VirtualCard, vault: FileVault
) -> None:
    load(card, vault, 2_000_000)
    open_ = purse.open_card(card, vault, Role.LOAD)
    with pytest.raises(CardRefused, match="at most"):
        open_.stage(change(TapKind.LOAD, 1))


def test_the_debit_key_cannot_load(card: VirtualCard, vault: FileVault) -> None:
    open_ = purse.open_card(card, vault, Role.DEBIT)
    with pytest.raises(StatusError) as refused:
        open_.stage(change(TapKind.LOAD, 1_000))
    assert refused.value.status == Status.PERMISSION_DENIED
    assert value(card) == 0


def test_the_read_key_sees_the_log_and_not_the_purse(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 50_000)
    for sequence in range(2, 14):
        ride(card, vault, 100, sequence)
    records = inspecting.last_records(card, vault)
    assert [record.sequence for record in records] == list(range(13, 3, -1))
    client.select(card, AID)
    session = client.authenticate(card, Role.READ.key_no, vault.card_key(Role.READ, 1, card.uid))
    with pytest.raises(StatusError):
        session.value(File.PURSE)


def test_another_citys_card_and_a_blank_chip_are_told_apart_from_ours(
    card: VirtualCard, vault: FileVault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from keys.filevault import FileVault as Vault  # noqa: PLC0415

    other = Vault.create(tmp_path_factory.mktemp("other") / "other.vault", "x", 16)
    other.add_master(Role.DEBIT, 1, b"another city key")
    with pytest.raises(CardForeign, match="not one of ours"):
        purse.open_card(card, other, Role.DEBIT)
    with pytest.raises(CardForeign, match="not a Kartu Semarang Hebat"):
        purse.open_card(VirtualCard(bytes(7)), vault, Role.DEBIT)


def test_a_card_with_an_older_key_version_is_still_opened(
    new_card: Callable[..., VirtualCard], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from card.personalise import personalise  # noqa: PLC0415
    from keys.filevault import FileVault as Vault  # noqa: PLC0415

    rolling = Vault.create(tmp_path_factory.mktemp("rolling") / "city.vault", "x", 16)
    for role in Role:
        rolling.add_master(role, 1, bytes(16))
    chip = VirtualCard(bytes([4, 9, 9, 9, 9, 9, 9]))
    personalise(chip, rolling, IDENTITY)
    rolling.add_master(Role.DEBIT, 2, bytes([1]) * 16)
    assert isinstance(purse.open_card(chip, rolling, Role.DEBIT), OpenCard)


def test_a_chip_is_personalised_once(card: VirtualCard, vault: FileVault) -> None:
    from card.personalise import personalise  # noqa: PLC0415

    with pytest.raises(StatusError):
        personalise(card, vault, IDENTITY)


@dataclass
class Between:
    """Somebody between reader and card who shows another counter than the card's where it is read without a key."""

    card: VirtualCard
    off: int

    @property
    def uid(self) -> bytes:
        return self.card.uid

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.card.transmit(apdu)
        if apdu[1] == Ins.READ_DATA and apdu[5] == File.TMAC and len(answer) > 4:
            shown = int.from_bytes(answer[:4], "little") + self.off
            answer = shown.to_bytes(4, "little") + answer[4:]
        return answer


@pytest.mark.parametrize("off", [1, 5])
def test_a_commit_under_another_counter_than_was_shown_is_no_evidence_of_that_one(
    card: VirtualCard, vault: FileVault, off: int
) -> None:
    load(card, vault, 50_000)
    open_ = purse.open_card(Between(card, off), vault, Role.DEBIT)
    staged = open_.stage(change(TapKind.SALE, 3_500))
    assert staged.tmc == purse.seen_now(card).tmc + 1 + off
    open_ = purse.open_card(Between(card, off), vault, Role.DEBIT)
    open_.stage(change(TapKind.SALE, 3_500))
    with pytest.raises(SessionBroken, match="counted another transaction") as broken:
        open_.commit()
    assert broken.value.acted is Acted.UNKNOWN
    assert value(card) == 46_500  # it did happen: the card itself tells, when it comes again


def test_a_record_that_is_not_what_happened_is_no_evidence(card: VirtualCard, vault: FileVault) -> None:
    load(card, vault, 50_000)
    tmi = ride(card, vault).tmi
    record = LogRecord(TapKind.FARE, Rupiah(3_500), Rupiah(46_500), AT // 1000, 1001, 2, 42).encode()
    lie = LogRecord(TapKind.FARE, Rupiah(500), Rupiah(49_500), AT // 1000, 1001, 2, 42).encode()
    assert record in tmi
    with pytest.raises(EvidenceError, match="not what happened"):
        evidence.parse(tmi.replace(record, lie))
    for cut in range(0, len(tmi), 16):
        with pytest.raises(EvidenceError):
            evidence.parse(tmi[:cut])
    with pytest.raises(EvidenceError):
        evidence.parse(tmi + tmi)
