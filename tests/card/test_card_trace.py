"""A recorded conversation: its names, its times, and what it must never show."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from card import ev2, purse
from card.apdu import GET_UID, Ins, unwrap, wrap
from card.errors import CardLost
from card.layout import Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.trace import Exchange, Recorder, name_of, render, status_of
from card.virtual import VirtualCard
from keys.clock import UnixMs
from keys.diversify import card_input, diversify_aes128
from keys.money import Rupiah
from keys.vault import Role
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.filevault import FileVault
    from keys.vault import CardKey

UID = bytes([4, 1, 2, 3, 4, 5, 9])
WINDOW = 8
"""Bytes of a secret that may not stand in a trace in a row."""


@pytest.fixture
def session_secrets(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every session key and random number that terminal or chip make from here on."""
    made: list[bytes] = []
    real = ev2.session_keys

    def spy(key: CardKey, rnd_a: bytes, rnd_b: bytes) -> ev2.SessionKeys:
        keys = real(key, rnd_a, rnd_b)
        made.extend((keys.enc, keys.mac, rnd_a, rnd_b))
        return keys

    monkeypatch.setattr(ev2, "session_keys", spy)
    return made


def personalised(vault: FileVault) -> tuple[VirtualCard, list[Exchange]]:
    chip = VirtualCard(UID)
    recorder = Recorder(chip)
    personalise(recorder, vault, IDENTITY)
    return chip, recorder.exchanges


def cryptograms(exchanges: list[Exchange]) -> Iterator[bytes]:
    """What authentications and key commands sent and received beside their headers."""
    for one in exchanges:
        ins, data = unwrap(one.apdu) or (0, b"")
        head = {Ins.ADDITIONAL_FRAME: 0, Ins.CHANGE_KEY: 1, Ins.CREATE_TMAC_FILE: 5}.get(Ins(ins))
        if head is not None:
            yield data[head:]
        if head is not None or ins == Ins.AUTHENTICATE_EV2_FIRST:
            yield one.answer[:-2]


def card_keys(vault: FileVault) -> list[bytes]:
    """The masters of the tests' vault (see conftest) and this card's keys from them."""
    masters = {role: bytes([number]) * 16 for number, role in enumerate(Role)}
    derived = [diversify_aes128(key, card_input(UID, role.key_no, 1)) for role, key in masters.items()]
    return [*masters.values(), *derived]


def windows(secret: bytes) -> set[str]:
    return {secret[at : at + WINDOW].hex() for at in range(len(secret) - WINDOW + 1)}


def fare_of(chip: VirtualCard, vault: FileVault) -> list[Exchange]:
    recorder = Recorder(chip)
    for role, kind, journey in (
        (Role.LOAD, TapKind.LOAD, None),
        (Role.DEBIT, TapKind.FARE, Journey(tap_in_at=1)),
    ):
        open_ = purse.open_card(recorder, vault, role)
        open_.stage(Change(kind, Rupiah(5_000), journey, 1, 1, UnixMs(1_795_000_000_000)))
        open_.commit()
    return recorder.exchanges


# Secrets


def test_a_trace_of_personalisation_shows_no_key_and_no_cryptogram(
    vault: FileVault, session_secrets: list[bytes]
) -> None:
    _, exchanges = personalised(vault)
    told = "\n".join(render(one) for one in exchanges)
    sent = [secret for secret in cryptograms(exchanges) if secret]
    assert len(sent) >= 20
    assert len(session_secrets) == 16
    secrets = [*card_keys(vault), *session_secrets, *sent]
    zeros = "00" * WINDOW
    assert [one for secret in secrets for one in windows(secret) - {zeros} if one in told] == []


def test_what_is_looked_for_is_there_when_secrets_are_asked_for(vault: FileVault) -> None:
    _, exchanges = personalised(vault)
    told = "\n".join(render(one, show_secrets=True) for one in exchanges)
    assert [secret.hex() for secret in cryptograms(exchanges) if secret.hex() not in told] == []
    assert "hidden" not in told


def test_a_trace_of_a_fare_shows_no_enciphered_body(vault: FileVault, session_secrets: list[bytes]) -> None:
    chip, _ = personalised(vault)
    exchanges = fare_of(chip, vault)
    told = "\n".join(render(one) for one in exchanges)
    bodies = [
        data[1:]
        for ins, data in (unwrap(one.apdu) or (0, b"") for one in exchanges)
        if ins in {Ins.DEBIT, Ins.CREDIT}
    ]
    values = [one.answer[:-2] for one in exchanges if name_of(one.apdu) == "GET_VALUE"]
    hidden = [*bodies, *values, *cryptograms(exchanges), *session_secrets]
    assert len(bodies) == len(values) == 2
    assert [secret.hex() for secret in hidden if secret.hex() in told] == []


def test_the_hidden_bytes_are_counted() -> None:
    line = render(Exchange(wrap(Ins.ADDITIONAL_FRAME, b"\xa5" * 32), b"\x5a" * 32 + b"\x91\x00", 0))
    assert line == "-> ADDITIONAL_FRAME 90af000020 <32 bytes hidden> 00 <- OK <32 bytes hidden>"


@pytest.mark.parametrize(
    "apdu", [wrap(0xEE, b"\xa5" * 9), bytes.fromhex("0088000004a5a5a5a500"), b"\x90\xc4\x00\x00\x05\xa5"]
)
def test_a_command_that_is_not_known_is_hidden(apdu: bytes) -> None:
    line = render(Exchange(apdu, b"\xa5" * 9 + b"\x91\x00", 0))
    assert "a5a5" not in line
    assert "hidden" in line


@pytest.mark.parametrize(("size", "sealed"), [(8, 16), (24, 32), (32, 48)])
def test_a_write_is_shown_by_its_length_alone_where_it_travels_plain(size: int, sealed: int) -> None:
    header = b"\x01" + bytes(3) + size.to_bytes(3, "little")
    for body in (size, size + 8):
        assert "hidden" not in render(Exchange(wrap(Ins.WRITE_DATA, header + b"\xa5" * body), b"\x91\x00", 0))
    enciphered = render(Exchange(wrap(Ins.WRITE_DATA, header + b"\xa5" * (sealed + 8)), b"\x91\x00", 0))
    assert f"<{sealed + 8} bytes hidden>" in enciphered


@pytest.mark.parametrize(("size", "shown"), [(32, True), (40, True), (48, False), (56, False), (16, False)])
def test_an_answer_is_shown_by_its_length_alone_where_it_travels_plain(size: int, *, shown: bool) -> None:
    header = b"\x01" + bytes(3) + (32).to_bytes(3, "little")
    line = render(Exchange(wrap(Ins.READ_DATA, header + bytes(8)), b"\xa5" * size + b"\x91\x00", 0))
    assert ("a5a5" in line) == shown


@pytest.mark.parametrize(("size", "shown"), [(4, True), (12, True), (16, False), (24, False)])
def test_a_value_is_shown_where_it_travels_plain(size: int, *, shown: bool) -> None:
    line = render(Exchange(wrap(Ins.GET_VALUE, b"\x03"), b"\xa5" * size + b"\x91\x00", 0))
    assert ("a5a5" in line) == shown


# Names


def test_a_line_says_what_was_asked_and_what_came_of_it(vault: FileVault) -> None:
    chip, made = personalised(vault)
    assert "CHANGE_KEY key 3 " in "\n".join(render(one) for one in made)
    lines = [render(one) for one in fare_of(chip, vault)[11:]]
    assert lines[0] == "-> SELECT_APPLICATION application 4b5348 905a00000348534b00 <- OK"
    assert lines[1].startswith("-> READ_DATA file 0F offset 0 length all 90ad0000070f")
    assert lines[2].startswith("-> AUTHENTICATE_EV2_FIRST key 2 ")
    assert lines[8].startswith("-> WRITE_RECORD file 04 offset 0 length 32 ")
    assert lines[11].startswith("-> COMMIT_TRANSACTION option 01 ")
    assert [line.split(" <- ")[1].split()[0] for line in lines] == ["OK"] * 2 + ["ADDITIONAL_FRAME"] + [
        "OK"
    ] * 9


@pytest.mark.parametrize(
    ("apdu", "name"),
    [
        (GET_UID, "GET_UID"),
        (bytes.fromhex("00a4040007d276000085010100"), "ISO_SELECT"),
        (bytes.fromhex("00b000000f"), "ISO_READ_BINARY"),
        (wrap(Ins.DEBIT, bytes(25)), "DEBIT"),
        (wrap(0xEE), "COMMAND_EE"),
        (b"\x80\x10\x00\x00", "APDU_8010"),
        (b"", "APDU_"),
    ],
)
def test_a_command_has_a_name(apdu: bytes, name: str) -> None:
    assert name_of(apdu) == name


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("9100", "OK"),
        ("01029100", "OK"),
        ("919d", "PERMISSION_DENIED"),
        ("9000", "OK"),
        ("6a82", "FILE_NOT_FOUND"),
        ("6700", "6700"),
        ("91fe", "91FE"),
        ("91", "NO_STATUS"),
        ("", "LOST"),
    ],
)
def test_a_status_has_a_name(answer: str, name: str) -> None:
    assert status_of(bytes.fromhex(answer)) == name


# Recording


def test_the_terminals_time_is_apart_from_the_cards(card: VirtualCard) -> None:
    ticks = count(0, 10)
    recorder = Recorder(card, clock=lambda: next(ticks))
    recorder.transmit(wrap(Ins.GET_VERSION))
    recorder.transmit(wrap(Ins.GET_VERSION))
    assert [one.host_ns for one in recorder.exchanges] == [10, 10]
    assert recorder.idle_ns == 10


def test_a_recorder_forgets_the_oldest_and_tells_its_sink_everything(card: VirtualCard) -> None:
    told: list[Exchange] = []
    recorder = Recorder(card, told.append, keep=2)
    for ins in (Ins.GET_VERSION, Ins.GET_APPLICATION_IDS, Ins.GET_KEY_SETTINGS):
        recorder.transmit(wrap(ins))
    assert [name_of(one.apdu) for one in recorder.exchanges] == ["GET_APPLICATION_IDS", "GET_KEY_SETTINGS"]
    assert len(told) == 3
    assert recorder.uid == card.uid


def test_a_torn_exchange_is_kept_without_an_answer(card: VirtualCard) -> None:
    recorder = Recorder(card)
    card.tear(1, acts=True)
    with pytest.raises(CardLost):
        recorder.transmit(wrap(Ins.GET_VERSION))
    assert [one.answer for one in recorder.exchanges] == [b""]
    assert render(recorder.exchanges[0]) == "-> GET_VERSION 9060000000 <- LOST"
