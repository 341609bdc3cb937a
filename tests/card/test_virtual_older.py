"""Clients from before EV2 on the virtual chip: AES in EV1's way, triple DES, and D40, each over files of every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import client, d40, ev1, management, older
from card.apdu import Ins, Status
from card.applications import ApplicationSettings
from card.channel import CommMode
from card.client import Session, exchange
from card.commands import FileSettings, FileType
from card.crc import crc_a
from card.errors import StatusError
from card.ev1 import BlockCipher, KeyType
from card.personalise import open_delivered
from keys.softkey import FACTORY_KEY, crc32
from tests.card.chips import OPEN, TEST_AID, delivered

if TYPE_CHECKING:
    from card.transport import Transport
    from card.virtual import VirtualCard

ZERO = bytes(8)


def authenticate_d40(card: Transport, key: bytes) -> Session:
    """AuthenticateLegacy as a client of 2002 does it: the terminal only ever decrypts."""
    cipher = BlockCipher(key, KeyType.DES)
    rnd_a = bytes(range(1, 9))
    rnd_b = cipher.decrypt(exchange(card, Ins.AUTHENTICATE_LEGACY, b"\x00")[1], ZERO)
    proof = exchange(card, Ins.ADDITIONAL_FRAME, d40.sent(cipher, rnd_a + rnd_b[1:] + rnd_b[:1]))[1]
    assert cipher.decrypt(proof, ZERO) == rnd_a[1:] + rnd_a[:1]
    single = key[:8] == key[8:]
    return Session(card, d40.Channel(ev1.session_key(rnd_a, rnd_b, KeyType.DES, single=single)))


def authenticate_iso(card: Transport, key: bytes, kind: KeyType) -> Session:
    """AuthenticateISO under any DES key."""
    cipher = BlockCipher(key, kind)
    rnd_a, rnd_b = older._proven(card, Ins.AUTHENTICATE_ISO, 0, cipher, kind)
    single = kind is KeyType.DES and key[:8] == key[8:]
    return Session(card, ev1.Channel(ev1.session_key(rnd_a, rnd_b, kind, single=single), kind))


def started(how: str) -> tuple[VirtualCard, Session]:
    kind = {"aes": KeyType.AES, "3k3des": KeyType.TDES3}.get(how, KeyType.DES)
    chip = delivered()
    management.create_application(open_delivered(chip), ApplicationSettings(TEST_AID, 2, kind=kind))
    return chip, again(chip, how)


def again(chip: VirtualCard, how: str) -> Session:
    client.select(chip, TEST_AID)
    if how == "aes":
        return older.authenticate_aes(chip, 0, FACTORY_KEY)
    if how == "d40":
        return authenticate_d40(chip, bytes(16))
    return authenticate_iso(
        chip, bytes(24 if how == "3k3des" else 16), KeyType.TDES3 if how == "3k3des" else KeyType.DES
    )


HOW = ["aes", "des", "3k3des", "d40"]


@pytest.mark.parametrize("how", HOW)
@given(
    data=st.binary(min_size=1, max_size=100), mode=st.sampled_from(list(CommMode)), amount=st.integers(1, 500)
)
def test_files_are_made_written_and_read_as_before_ev2(
    how: str, data: bytes, mode: CommMode, amount: int
) -> None:
    chip, session = started(how)
    management.create_file(session, 1, FileSettings(FileType.BACKUP, mode, (OPEN,), size=100))
    management.create_file(session, 2, FileSettings(FileType.VALUE, mode, (OPEN,), upper=1_000))
    management.create_file(
        session, 3, FileSettings(FileType.CYCLIC, mode, (OPEN,), record_size=100, records=3)
    )
    session.write(1, data, mode)
    session.send(Ins.CREDIT, b"\x02", mode, amount.to_bytes(4, "little"))
    session.write_record(3, data, mode)
    session.commit_unsigned()
    assert session.read(1, mode, 0, len(data)) == data
    assert session.send(Ins.GET_VALUE, b"\x02", CommMode.MAC, answer=mode) == amount.to_bytes(4, "little")
    assert session.read_records(3, mode, 1) == data.ljust(100, b"\0")
    assert management.file_settings(session, 2)[0].upper == 1_000
    assert management.card_uid(session) == chip.uid


@pytest.mark.parametrize("how", HOW)
def test_rights_change_and_errors_end_the_session_as_before_ev2(how: str) -> None:
    chip, session = started(how)
    made = FileSettings(FileType.BACKUP, CommMode.FULL, (OPEN,), size=10)
    management.create_file(session, 1, made)
    management.change_file_settings(session, 1, FileSettings(FileType.BACKUP, CommMode.MAC, (OPEN,), size=10))
    assert management.file_settings(session, 1)[0].mode is CommMode.MAC
    with pytest.raises(StatusError):
        session.read(1, CommMode.MAC, 5, 6)
    assert chip.session is None


@pytest.mark.parametrize("how", ["des", "d40"])
def test_another_des_key_is_changed_by_xor_and_two_checksums(how: str) -> None:
    chip, session = started(how)
    new = bytes(range(16))
    crc = session._channel.checksum(new) if session._channel else b""
    if how == "d40":
        body = new + crc_a(new) + crc_a(new)
        cipher = session._channel._cipher if isinstance(session._channel, d40.Channel) else None
        assert cipher is not None
        sealed = d40.sent(cipher, body.ljust(24, b"\0"))
        exchange(chip, Ins.CHANGE_KEY, b"\x01" + sealed)
    else:
        channel = session._channel
        assert isinstance(channel, ev1.Channel)
        whole = new + crc32(bytes((Ins.CHANGE_KEY, 1)) + new) + crc
        sealed = channel._cipher.encrypt(whole.ljust(24, b"\0"), channel._iv)
        exchange(chip, Ins.CHANGE_KEY, b"\x01" + sealed)
    assert chip.applications[TEST_AID].keys[1].value == new


def test_a_key_of_another_type_does_not_open_an_application() -> None:
    chip, _ = started("aes")
    client.select(chip, TEST_AID)
    for ins in (Ins.AUTHENTICATE_LEGACY, Ins.AUTHENTICATE_ISO):
        assert chip.transmit(bytes((0x90, ins, 0, 0, 1, 0, 0)))[-1] == Status.AUTHENTICATION_ERROR


@pytest.mark.parametrize("how", HOW)
@given(place=st.integers(0, 40), bit=st.integers(0, 7))
def test_a_changed_enciphered_command_is_refused(how: str, place: int, bit: int) -> None:
    chip, session = started(how)
    management.create_file(session, 1, FileSettings(FileType.BACKUP, CommMode.FULL, (OPEN,), size=30))
    assert session._channel is not None
    header = b"\x01" + bytes(3) + (30).to_bytes(3, "little")
    travels = bytearray(session._channel.command(Ins.WRITE_DATA_CHAINED, header, bytes(30), CommMode.FULL))
    at = 7 + place % (len(travels) - 7)
    travels[at] ^= 1 << bit
    with pytest.raises(StatusError):
        exchange(chip, Ins.WRITE_DATA_CHAINED, bytes(travels))
    assert not chip.applications[TEST_AID].files[1].changed
