"""The public vectors of EV1 and D40, of phone taps and of the chip maker's signature, from both ends; a changed bit is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import d40, ev1, originality, sdm
from card.apdu import Ins
from card.channel import CommMode
from card.crc import crc_a, crc_b
from card.errors import SessionBroken, TapRefused
from card.ev1 import KeyType
from card.older import authenticate_aes
from card.sdm import Tap
from card.virtual import VirtualCard
from card.virtual.application import KeySlot
from keys.softkey import FACTORY_KEY, SoftKey, crc32
from tests.card.known import VECTORS, Scripted, unhex

if TYPE_CHECKING:
    from card.channel import Channel


def channel_of(vector: dict[str, Any]) -> ev1.Channel:
    return ev1.Channel(unhex(vector, "session_key")[0])


def output(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector["outputs"][name])


def changed_bits(data: bytes) -> list[bytes]:
    whole = int.from_bytes(data, "big")
    return [(whole ^ 1 << bit).to_bytes(len(data), "big") for bit in range(8 * len(data))]


def test_aes_authentication_gives_the_published_session_and_refuses_a_changed_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vector = VECTORS["ev1-aes-auth"]
    rnd_a, first, second = unhex(vector, "rnd_a", "capdu1", "capdu2")
    monkeypatch.setattr("secrets.token_bytes", lambda size: rnd_a[:size])
    answers = [output(vector, "rapdu1"), output(vector, "rapdu2")]
    card = Scripted(*answers)
    session = authenticate_aes(card, 0, FACTORY_KEY)
    assert card.asked == [first, second]
    expected = ev1.Channel(output(vector, "session_key"))
    assert session._channel is not None
    assert session._channel.answer(b"x", CommMode.MAC) == expected.answer(b"x", CommMode.MAC)
    for proof in changed_bits(answers[1][:-2]):
        with pytest.raises(SessionBroken):
            authenticate_aes(Scripted(answers[0], proof + answers[1][-2:]), 0, FACTORY_KEY)


def test_the_chip_answers_the_published_aes_authentication() -> None:
    vector = VECTORS["ev1-aes-auth"]
    first, second = unhex(vector, "capdu1", "capdu2")
    challenge = output(vector, "rapdu1")[:-2]
    rnd_b = ev1.BlockCipher(bytes(16), KeyType.AES).decrypt(challenge, bytes(16))
    chip = VirtualCard(bytes(7), rng=lambda _size: rnd_b)
    chip.application.keys[0] = KeySlot()
    assert chip.transmit(first) == output(vector, "rapdu1")
    assert chip.transmit(second) == output(vector, "rapdu2")
    chip.transmit(first)
    assert chip.transmit(second[:-2] + bytes((second[-2] ^ 1, 0)))[-1] == 0xAE


@pytest.mark.parametrize(
    ("name", "mode"), [("ev1-full-write-read", CommMode.FULL), ("ev1-mac-write-read", CommMode.MAC)]
)
def test_an_ev1_write_and_read_travel_as_published(name: str, mode: CommMode) -> None:
    vector = VECTORS[name]
    header, data = unhex(vector, "header", "data")
    terminal, chip = channel_of(vector), channel_of(vector)
    written = terminal.command(Ins.WRITE_DATA_CHAINED, header, data, mode)
    full = mode is CommMode.FULL
    assert written == (output(vector, "write_data") if full else header + data + output(vector, "write_mac"))
    assert chip.opened_command(Ins.WRITE_DATA_CHAINED, written, mode, len(header)) == (header, data)
    expected = output(vector, "write_response" if full else "write_response_mac")
    assert chip.answer(b"", mode) == expected
    assert terminal.opened_answer(expected, mode) == b""
    asked = terminal.command(Ins.READ_DATA_CHAINED, header, b"", mode)
    assert chip.opened_command(Ins.READ_DATA_CHAINED, asked, mode, len(header)) == (header, b"")
    read = output(vector, "read_response") if full else data + output(vector, "read_response_mac")
    assert chip.answer(data, mode) == read
    assert terminal.opened_answer(read, mode) == data


@pytest.mark.parametrize(
    ("name", "mode"), [("ev1-full-write-read", CommMode.FULL), ("ev1-mac-write-read", CommMode.MAC)]
)
def test_an_ev1_command_with_a_changed_bit_is_refused(name: str, mode: CommMode) -> None:
    vector = VECTORS[name]
    header, data = unhex(vector, "header", "data")
    written = channel_of(vector).command(Ins.WRITE_DATA_CHAINED, header, data, mode)
    for changed in changed_bits(written):
        with pytest.raises(SessionBroken):
            channel_of(vector).opened_command(Ins.WRITE_DATA_CHAINED, changed, mode, len(header))


def test_the_published_key_settings_are_opened_and_changed_ones_refused() -> None:
    vector = VECTORS["ev1-plain-getkeysettings"]
    answer = output(vector, "rapdu")[:-2]
    for place, data in enumerate([answer, *changed_bits(answer)]):
        terminal = channel_of(vector)
        terminal.command(Ins.GET_KEY_SETTINGS, b"", b"", CommMode.PLAIN)
        if place == 0:
            assert terminal.opened_answer(data, CommMode.PLAIN) == answer[:-8]
            continue
        with pytest.raises(SessionBroken):
            terminal.opened_answer(data, CommMode.PLAIN)


@pytest.mark.parametrize("name", ["ev1-changekey-same", "ev1-changekey-other"])
def test_a_change_of_key_travels_as_published_in_ev1(name: str) -> None:
    vector = VECTORS[name]
    key, new, version = unhex(vector, "key_no", "new_key", "version")
    published = output(vector, "data")
    header, body = channel_of(vector).opened_command(Ins.CHANGE_KEY, published, CommMode.FULL, 1)
    old = bytes.fromhex(vector["inputs"].get("old_key", "00" * 16))
    value = bytes(a ^ b for a, b in zip(new, old, strict=True)) + version
    assert (header, body) == (key, value + (crc32(new) if "old_key" in vector["inputs"] else b""))
    if "old_key" in vector["inputs"]:
        assert crc32(new) == output(vector, "new_key_crc")
    else:
        assert channel_of(vector).command(Ins.CHANGE_KEY, key, body, CommMode.FULL) == published
    for changed in changed_bits(published[1:]):
        with pytest.raises(SessionBroken):
            channel_of(vector).opened_command(Ins.CHANGE_KEY, key + changed, CommMode.FULL, 1)


CRC_16 = [name for name in VECTORS if name.startswith(("crc-", "crc16-"))]


@pytest.mark.parametrize("name", CRC_16)
def test_a_crc_is_the_published_one_and_another_for_a_changed_bit(name: str) -> None:
    crc = crc_b if name.startswith("crc-b-") else crc_a
    (data,) = unhex(VECTORS[name], "data")
    assert crc(data) == output(VECTORS[name], "crc")
    assert all(crc(changed) != crc(data) for changed in changed_bits(data))


def test_the_checksum_of_a_new_key_is_the_published_one() -> None:
    vector = VECTORS["crc32-newkey"]
    (data,) = unhex(vector, "data")
    assert crc32(data) == output(vector, "crc")
    assert all(crc32(changed) != output(vector, "crc") for changed in changed_bits(data))


def channel(kind: str, key: bytes) -> Channel:
    if kind == "d40":
        return d40.Channel(key)
    return ev1.Channel(key, KeyType.DES if kind == "des" else KeyType.AES)


@given(
    st.sampled_from(["aes", "des", "d40"]), st.binary(min_size=16, max_size=16), st.binary(min_size=1, max_size=60),
    st.sampled_from(list(CommMode)),
)  # fmt: skip
def test_what_one_end_sends_the_other_end_finds(kind: str, key: bytes, data: bytes, mode: CommMode) -> None:
    terminal, chip = channel(kind, key), channel(kind, key)
    header = b"\x02" + bytes(3) + len(data).to_bytes(3, "little")
    for _ in range(2):
        written = terminal.command(Ins.WRITE_DATA_CHAINED, header, data, mode)
        assert len(written) == 7 + chip.travels(len(data), Ins.WRITE_DATA_CHAINED, mode)
        assert chip.opened_command(Ins.WRITE_DATA_CHAINED, written, mode, 7) == (header, data)
        assert terminal.opened_answer(chip.answer(b"", mode), mode) == b""
        asked = terminal.command(Ins.READ_DATA_CHAINED, header, b"", mode)
        chip.opened_command(Ins.READ_DATA_CHAINED, asked, mode, 7)
        assert terminal.opened_answer(chip.answer(data, mode), mode) == data


SUN = ["sun-an12196-p12", "sun-an12196-p18"]


@pytest.mark.parametrize("name", SUN)
def test_a_published_tap_is_opened_and_a_changed_one_refused(name: str) -> None:
    vector = VECTORS[name]
    meta, file, picc, data = unhex(
        vector, "k_sdm_meta_read", "k_sdm_file_read", "picc_enc_data", "enc_file_data"
    )
    tap = sdm.opened_picc(SoftKey(meta, 0), picc)
    assert tap == Tap(output(vector, "uid"), vector["outputs"]["read_ctr"])
    key = SoftKey(file, 0)
    covered = (data.hex().upper() + vector["inputs"]["mac_input_suffix"]).encode()
    assert sdm.check(key, tap, covered, output(vector, "sdmmac")) == tap
    if data:
        assert sdm.opened_data(key, tap.uid, tap.counter, data) == output(vector, "file_data")
        assert sdm.sealed_data(key, tap.uid, tap.counter, output(vector, "file_data")) == data
    for mac in changed_bits(output(vector, "sdmmac")):
        with pytest.raises(TapRefused):
            sdm.check(key, tap, covered, mac)


def test_the_published_wrong_mac_is_refused() -> None:
    vector = VECTORS["sdm-negative-mac"]
    picc, data, mac = unhex(vector, "picc_enc_data", "enc_file_data", "sdmmac")
    tap = sdm.opened_picc(FACTORY_KEY, picc)
    with pytest.raises(TapRefused):
        sdm.check(FACTORY_KEY, tap, (data.hex().upper() + "&cmac=").encode(), mac)


def test_a_plain_mirror_has_the_published_mac() -> None:
    vector = VECTORS["sun-plain-mirror"]
    file, uid, counter = unhex(vector, "k_sdm_file_read", "uid", "read_ctr_lsb")
    number = int.from_bytes(counter, "little")
    assert f"{number:06x}" == vector["inputs"]["read_ctr_url"]
    assert sdm.tap_mac(SoftKey(file, 0), uid, number, b"") == output(vector, "sdmmac")


def test_the_session_keys_of_a_tap_are_the_published_ones() -> None:
    vector = VECTORS["sdm-session-keys-an12196-t1"]
    file, sv1 = unhex(vector, "k_sdm_file_read", "sv1")
    uid, counter = sv1[6:13], int.from_bytes(sv1[13:16], "little")
    made = sdm.session_keys(SoftKey(file, 0), uid, counter)
    assert made == (output(vector, "ses_sdm_file_read_enc"), output(vector, "ses_sdm_file_read_mac"))


def test_the_chip_maker_signed_the_published_uid_and_no_other() -> None:
    vector = VECTORS["originality-ecc"]
    public, uid, signature = unhex(vector, "public_key", "uid", "signature")
    assert originality.genuine(uid, signature, public)
    assert originality.genuine(uid, signature)
    assert not any(originality.genuine(changed, signature) for changed in changed_bits(uid))
    assert not any(originality.genuine(uid, changed) for changed in changed_bits(signature)[::16])
    assert not originality.genuine(uid, signature[:-1])
