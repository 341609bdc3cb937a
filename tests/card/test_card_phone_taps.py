"""A phone reads the card: each tap gives a fresh address that only this card could make, and says nothing to strangers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import client, management, ndef, purse, sdm
from card.apdu import IsoStatus, Status, wrap
from card.channel import CommMode
from card.commands import FREE, NEVER, FileSettings, FileType, Rights
from card.errors import CardForeign, SessionBroken, TapRefused
from card.personalise import personalise
from card.sdm import Sdm
from card.virtual import Generation, VirtualCard
from keys.softkey import FACTORY_KEY
from keys.vault import Role
from tests.card.chips import blank, delivered, entered, raises_status
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from keys.filevault import FileVault

ADDRESS = "https://kartu.example/t"


@pytest.fixture
def tapped(vault: FileVault) -> VirtualCard:
    chip = delivered(9)
    personalise(chip, vault, IDENTITY, ADDRESS)
    chip.leave_field()
    return chip


def read(chip: VirtualCard) -> str:
    """One tap of a phone."""
    chip.leave_field()
    return ndef.read_address(chip)


def verified(address: str, vault: FileVault) -> sdm.Tap:
    parsed = ndef.parse_address(address)
    tap = ndef.opened(parsed, vault.card_key(Role.META_READ, 1, ndef.EVERY_CARD))
    return ndef.verify(parsed, tap, vault.card_key(Role.FILE_READ, 1, tap.uid))


def test_each_tap_is_a_fresh_address_of_this_card(tapped: VirtualCard, vault: FileVault) -> None:
    addresses = [read(tapped) for _ in range(5)]
    assert len(set(addresses)) == 5
    assert [verified(one, vault) for one in addresses] == [
        sdm.Tap(tapped.uid, count) for count in range(1, 6)
    ]
    assert all(one.startswith(ADDRESS + "?e=") for one in addresses)
    assert not any(tapped.uid.hex().upper() in one for one in addresses)


def test_an_address_with_a_changed_character_is_refused(tapped: VirtualCard, vault: FileVault) -> None:
    address = read(tapped)
    start = address.index("?e=") + 3
    for place in (*range(start, start + sdm.PICC_HEX), *range(len(address) - sdm.MAC_HEX, len(address))):
        changed = address[:place] + ("0" if address[place] != "0" else "1") + address[place + 1 :]
        with pytest.raises(TapRefused):
            verified(changed, vault)


@pytest.mark.parametrize(
    "address", ["", ADDRESS, ADDRESS + "?e=00&m=00", ADDRESS + "?e=" + "z" * 32 + "&m=" + "0" * 16]
)
def test_an_address_without_proof_is_refused(address: str) -> None:
    with pytest.raises(TapRefused):
        ndef.parse_address(address)


def test_a_tap_cut_into_many_readings_is_one_tap(tapped: VirtualCard, vault: FileVault) -> None:
    address = read(tapped)
    again = ndef.read_address(tapped)
    assert verified(again, vault).counter == verified(address, vault).counter + 1
    management_session = entered_ndef(tapped, vault)
    assert management.key_version(management_session, ndef.FILE_KEY) == 1


def entered_ndef(chip: VirtualCard, vault: FileVault) -> client.Session:
    client.select(chip, ndef.AID)
    return client.authenticate(chip, 0, vault.card_key(Role.MASTER, 1, chip.uid))


def test_nobody_writes_the_address_but_the_issuer(tapped: VirtualCard, vault: FileVault) -> None:
    tapped.leave_field()
    for apdu in ("00a4040007d2760000850101", "00a4000c02e104"):
        assert tapped.transmit(bytes.fromhex(apdu)) == b"\x90\x00"
    denied = IsoStatus.SECURITY_NOT_SATISFIED.encode()
    assert tapped.transmit(bytes.fromhex("00d6000002ffff")) == denied
    client.select(tapped, ndef.AID)
    with raises_status(Status.AUTHENTICATION_ERROR):
        client.free(tapped).write(ndef.MESSAGE_FILE, b"\x00", CommMode.PLAIN)
    session = entered_ndef(tapped, vault)
    session.write(ndef.MESSAGE_FILE, b"\x00", CommMode.PLAIN, 255)
    assert tapped.session is not None


def test_the_issuer_reads_what_was_written_and_not_what_is_mirrored(
    tapped: VirtualCard, vault: FileVault
) -> None:
    settings = ndef.message(ADDRESS).settings
    session = entered_ndef(tapped, vault)
    assert management.file_settings(session, ndef.MESSAGE_FILE)[0].sdm == settings.sdm
    with raises_status(Status.PERMISSION_DENIED):
        management.file_counter(session, ndef.MESSAGE_FILE)


def test_a_phone_finds_nothing_on_a_card_without_an_address(card: VirtualCard) -> None:
    with pytest.raises(CardForeign):
        ndef.read_address(card)


def test_the_purse_works_on_a_card_with_an_address(tapped: VirtualCard, vault: FileVault) -> None:
    read(tapped)
    assert purse.open_card(tapped, vault, Role.DEBIT).identity == IDENTITY
    assert verified(read(tapped), vault).counter == 2


def test_an_older_chip_is_refused_an_address(vault: FileVault) -> None:
    chip = delivered(generation=Generation.EV2)
    with raises_status(Status.PARAMETER_ERROR):
        personalise(chip, vault, IDENTITY, ADDRESS)


@pytest.mark.parametrize("address", ["http://a.example", "https://a.example/?x", "https://" + "a" * 200])
def test_an_address_that_does_not_fit_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        ndef.message(address)


PLAIN = Sdm(FREE, 0, 0, uid_at=0, counter_at=20, mac_input_at=30, mac_at=80, encrypted_at=32, encrypted=32)


def mirroring(mirror: Sdm) -> VirtualCard:
    rights = Rights(read=FREE, change=0, write=0)
    chip, session = blank(
        (1, FileSettings(FileType.STANDARD, CommMode.PLAIN, (rights,), size=100, sdm=mirror))
    )
    session.write(1, bytes(range(65, 65 + 100)), CommMode.PLAIN)
    client.select(chip, b"TST")
    return chip


def test_a_plain_mirror_shows_uid_counter_encrypted_data_and_mac() -> None:
    chip = mirroring(PLAIN)
    data = client.read_free(chip, 1)
    assert (data[:14], data[20:26]) == (chip.uid.hex().upper().encode(), b"000001")
    sealed = bytes.fromhex(data[32:64].decode())
    assert sdm.opened_data(FACTORY_KEY, chip.uid, 1, sealed) == bytes(range(65 + 32, 65 + 48))
    mac = bytes.fromhex(data[80:96].decode())
    assert sdm.check(FACTORY_KEY, sdm.Tap(chip.uid, 1), data[30:80], mac).counter == 1
    assert client.read_free(chip, 1) == data
    assert management.file_counter(entered(chip), 1) == 1


def test_a_card_that_was_tapped_as_often_as_it_may_is_silent() -> None:
    chip = mirroring(replace(PLAIN, limit=2))
    for _ in range(2):
        assert client.read_free(chip, 1)
        client.select(chip, b"TST")
    with raises_status(Status.PERMISSION_DENIED):
        client.read_free(chip, 1)


def test_a_mirror_that_does_not_fit_its_file_is_refused() -> None:
    with raises_status(Status.PARAMETER_ERROR):
        mirroring(replace(PLAIN, mac_at=85))
    with raises_status(Status.PARAMETER_ERROR):
        mirroring(replace(PLAIN, mac_at=20))


places = st.integers(0, 0xFF_FFFF)


@given(st.builds(
    Sdm, st.sampled_from([1, FREE, NEVER]), st.sampled_from([2, NEVER]), st.sampled_from([0, NEVER]), places, places, places,
    places, places, st.just(-1), st.just(0), st.one_of(st.just(-1), places),
))  # fmt: skip
def test_mirrors_travel_whole(mirror: Sdm) -> None:
    decoded = Sdm.decode(mirror.encode())
    assert decoded is not None
    assert decoded.encode() == mirror.encode()
    assert Sdm.decode(mirror.encode()[:-1]) is None


@given(st.binary(max_size=40))
def test_a_mirror_of_garbage_is_none_or_says_what_it_said(data: bytes) -> None:
    decoded = Sdm.decode(data)
    assert decoded is None or len(decoded.encode()) == len(data)


@given(st.lists(st.binary(max_size=30), max_size=12))
def test_a_phone_that_talks_nonsense_gets_a_status(apdus: list[bytes]) -> None:
    chip = mirroring(PLAIN)
    for apdu in apdus:
        assert len(chip.transmit(b"\x00" + apdu)) >= 2
    assert chip.transmit(wrap(0x60))[-1] == Status.ADDITIONAL_FRAME


def test_a_card_that_answers_a_phone_with_nonsense_is_refused() -> None:
    class Odd:
        uid = bytes(7)

        def transmit(self, apdu: bytes) -> bytes:
            return b"\x90\x00" if apdu[1] == 0xA4 else b"\x01\x90\x00"

    with pytest.raises(SessionBroken):
        ndef.read_address(Odd())
