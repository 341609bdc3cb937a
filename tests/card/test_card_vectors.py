"""Every public vector that concerns the card is played, byte for byte, from both ends; a changed bit is refused."""

from __future__ import annotations

from typing import Any

import pytest

from card import ev2, tmac
from card.apdu import Ins, Status, unwrap, wrap
from card.channel import CommMode
from card.client import authenticate
from card.errors import SessionBroken
from card.ev2 import Channel, SessionKeys
from card.virtual import VirtualCard
from card.virtual.application import KeySlot
from card.virtual.refusal import Refusal
from card.virtual.session import Session as ChipSession
from card.virtual.session import opened
from keys.softkey import FACTORY_KEY, SoftKey
from tests.card.known import VECTORS, Scripted, unhex

OLDER = {"sdm-sun", "ev1-aes", "crc", "originality"}
"""Categories that tests/card/test_card_vectors_older.py plays."""
ELSEWHERE = {"aes-cmac", "an10922"}
SECURE = [
    one for one in VECTORS.values()
    if one["category"] in {"ev2-sm", "ev2-value", "ev2-changekey"} and "ses_auth_enc" in one["inputs"]
]  # fmt: skip
PLAIN = ["ev2-plain-writedata", "ev2-plain-getvalue-free"]
PLAYED = {
    "ev2first-full-transcript", "ev2-iv-cmd-ed56f6e6", "tm-full-an12343", "tm-keys-pm3-04010203040506", "tm-keys-sdk-1",
    "tm-readerid-sdk", "tmi-rules", "crc32-desfire-ev1", *PLAIN, *(one["id"] for one in SECURE),
}  # fmt: skip


def channel_of(vector: dict[str, Any]) -> Channel:
    enc, mac, ti = unhex(vector, "ses_auth_enc", "ses_auth_mac", "ti")
    return Channel(SessionKeys(enc, mac), ti, vector["inputs"]["cmd_ctr"])


def test_no_vector_is_left_out_silently() -> None:
    for name, vector in VECTORS.items():
        category = vector["category"]
        known = name in PLAYED or category in OLDER or category in ELSEWHERE
        assert known, f"{name} ({category}) is not played"


def test_authentication_gives_the_published_session_and_refuses_a_changed_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vector = VECTORS["ev2first-full-transcript"]
    rnd_a, first, second = unhex(vector, "rnd_a", "capdu1", "capdu2")
    answers = [bytes.fromhex(vector["outputs"][name]) for name in ("rapdu1", "rapdu2")]
    monkeypatch.setattr("secrets.token_bytes", lambda size: rnd_a[:size])
    card = Scripted(*answers)
    session = authenticate(card, 0, FACTORY_KEY)
    assert card.asked == [first, second]
    assert session._ev2.enc_key.hex() == vector["outputs"]["ses_auth_enc"]
    with pytest.raises(SessionBroken):
        authenticate(Scripted(answers[0], bytes([answers[1][0] ^ 1]) + answers[1][1:]), 0, FACTORY_KEY)


def test_the_chip_answers_the_published_authentication() -> None:
    vector = VECTORS["ev2first-full-transcript"]
    rnd_b, ti, first, second = unhex(vector, "rnd_b", "ti", "capdu1", "capdu2")
    drawn = iter((rnd_b, ti))
    chip = VirtualCard(bytes(7), rng=lambda _size: next(drawn))
    chip.application.keys[0] = KeySlot()
    assert [chip.transmit(first).hex(), chip.transmit(second).hex()] == [
        vector["outputs"]["rapdu1"], vector["outputs"]["rapdu2"],
    ]  # fmt: skip


def test_the_iv_is_the_published_one_and_another_for_a_changed_bit() -> None:
    vector = VECTORS["ev2-iv-cmd-ed56f6e6"]
    enc, ti = unhex(vector, "ses_auth_enc", "ti")
    published = bytes.fromhex(vector["outputs"]["iv"])
    assert Channel(SessionKeys(enc, bytes(16)), ti, 0).command_iv() == published
    for bit in range(8 * len(ti)):
        changed = (int.from_bytes(ti, "big") ^ 1 << bit).to_bytes(len(ti), "big")
        assert Channel(SessionKeys(enc, bytes(16)), changed, 0).command_iv() != published


@pytest.mark.parametrize("vector", SECURE, ids=lambda one: one["id"])
def test_a_command_travels_as_published(vector: dict[str, Any]) -> None:
    channel, ins = channel_of(vector), int(vector["inputs"]["ins"], 16)
    header, body = unhex(vector, "cmd_header", "cmd_data_plain")
    full = vector["inputs"]["comm_mode"] == "full"
    data = header + (channel.encrypt(body, channel.command_iv()) if full and body else body)
    assert wrap(ins, data + channel.command_mac(ins, data)).hex() == vector["outputs"]["capdu"]


@pytest.mark.parametrize("vector", SECURE, ids=lambda one: one["id"])
def test_the_chip_opens_the_published_command_and_refuses_a_changed_bit(vector: dict[str, Any]) -> None:
    command = unwrap(bytes.fromhex(vector["outputs"]["capdu"]))
    assert command is not None
    ins, data = command
    header, body = unhex(vector, "cmd_header", "cmd_data_plain")
    mode = CommMode.FULL if vector["inputs"]["comm_mode"] == "full" else CommMode.MAC
    assert opened(ChipSession(0, channel_of(vector)), ins, data, mode, len(header)) == (header, body)
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Refusal) as refused:
            opened(ChipSession(0, channel_of(vector)), ins, bytes(changed), mode, len(header))
        assert refused.value.status == Status.INTEGRITY_ERROR


ANSWERED = [one for one in SECURE if len(one["outputs"]["rapdu"]) > 4]


@pytest.mark.parametrize("vector", ANSWERED, ids=lambda one: one["id"])
def test_the_published_answer_is_opened_and_a_changed_one_refused(vector: dict[str, Any]) -> None:
    answer = bytes.fromhex(vector["outputs"]["rapdu"])[:-2]
    plain = bytes.fromhex(vector["outputs"]["response_plain"])
    encrypted = len(answer) - ev2.MAC_BYTES != len(plain)
    mode = CommMode.FULL if encrypted else CommMode.MAC
    for place in (None, *range(8 * len(answer))):
        channel = channel_of(vector)
        if place is None:
            assert channel.opened_answer(answer, mode) == plain
            continue
        changed = bytearray(answer)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(SessionBroken):
            channel.opened_answer(bytes(changed), mode)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_commands_travel_as_published(name: str) -> None:
    vector = VECTORS[name]
    ins = Ins.WRITE_DATA if name == "ev2-plain-writedata" else Ins.GET_VALUE
    inputs = vector["inputs"]
    data = bytes.fromhex(
        inputs["cmd_header"] + inputs["cmd_data_plain"] if "cmd_header" in inputs else inputs["file_no"]
    )
    assert wrap(ins, data).hex() == vector["outputs"]["capdu"]
    assert unwrap(bytes.fromhex(vector["outputs"]["capdu"])) == (ins, data)


def test_the_real_chips_transaction_mac_is_recomputed_and_no_changed_bit_passes() -> None:
    vector = VECTORS["tm-full-an12343"]
    key_bytes, uid, encrypted, tmi = unhex(vector, "app_transaction_mac_key", "uid", "enc_tmri", "tmi")
    key, out = SoftKey(key_bytes, 1), vector["outputs"]
    mac_key, enc_key = tmac.session_keys(key, uid, 4)
    assert (mac_key.hex(), enc_key.hex()) == (out["ses_tm_mac"], out["ses_tm_enc"])
    assert tmac.tmv(mac_key, tmi).hex() == out["tmv"]
    assert tmac.previous_reader(enc_key, encrypted).hex() == out["tmri_prev"]
    for place in range(8 * len(tmi)):
        changed = bytearray(tmi)
        changed[place // 8] ^= 1 << place % 8
        assert tmac.tmv(mac_key, bytes(changed)).hex() != out["tmv"]


def test_the_input_is_laid_out_as_the_chip_did() -> None:
    vector = VECTORS["tm-full-an12343"]
    reader, encrypted = unhex(vector, "tmri_cur", "enc_tmri")
    record = bytes.fromhex("11223344556677889900112233445566")
    built = tmac.data_entry(Ins.WRITE_RECORD, 1, 0, record) + tmac.reader_entry(reader, encrypted)
    assert built.hex() == vector["inputs"]["tmi"]


@pytest.mark.parametrize("name", ["tm-keys-pm3-04010203040506", "tm-keys-sdk-1"])
def test_transaction_session_keys_are_the_published_ones(name: str) -> None:
    vector = VECTORS[name]
    key, uid = unhex(vector, "app_transaction_mac_key", "uid")
    tmc = vector["inputs"].get("tmc") or vector["inputs"]["tmc_in_sv"]
    mac_key, enc_key = tmac.session_keys(SoftKey(key, 1), uid, tmc)
    assert (mac_key.hex(), enc_key.hex()) == (
        vector["outputs"]["ses_tm_mac"],
        vector["outputs"]["ses_tm_enc"],
    )


def test_the_previous_reader_is_decrypted_and_encrypted_as_published() -> None:
    vector = VECTORS["tm-readerid-sdk"]
    key, encrypted = unhex(vector, "ses_tm_enc", "enc_tmri")
    previous = bytes.fromhex(vector["outputs"]["tmri_prev"])
    assert tmac.previous_reader(key, encrypted) == previous
    assert tmac.encrypted_reader(key, previous) == encrypted


RULES = VECTORS["tmi-rules"]["inputs"]
ENTRIES = {
    "ReadData": (
        tmac.data_entry(Ins.READ_DATA, 2, 0, b"x" * 20),
        "ad02000000140000" + "00" * 8 + "78" * 20 + "00" * 12,
    ),
    "WriteData": (
        tmac.data_entry(Ins.WRITE_DATA, 2, 1, b"x"),
        "8d02010000010000" + "00" * 8 + "78" + "00" * 15,
    ),
    "GetValue_Credit_Debit_LimitedCredit": (tmac.value_entry(Ins.DEBIT, 3, 3500), "dc03ac0d0000" + "00" * 10),
    "ReadRecords": (tmac.records_entry(4, 0, 1, b"x" * 16), "ab04000000010000" + "00" * 8 + "78" * 16),
    "WriteRecord": (
        tmac.data_entry(Ins.WRITE_RECORD, 4, 0, b"x" * 16),
        "8b04000000100000" + "00" * 8 + "78" * 16,
    ),
    "UpdateRecord": (tmac.update_entry(4, 1, 2, b"x" * 16), "ba04010000020000100000" + "00" * 5 + "78" * 16),
    "ClearRecordFile": (tmac.clear_entry(4), "eb04" + "00" * 14),
    "CommitReaderID": (tmac.reader_entry(b"r" * 16, b"e" * 16), "c8" + "72" * 16 + "65" * 16 + "00" * 15),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_entry_follows_its_rule(rule: str) -> None:
    built, expected = ENTRIES[rule]
    assert built.hex() == expected
    assert len(built) % 16 == 0


def test_the_published_crc32_covers_data_and_status() -> None:
    from keys.softkey import crc32  # noqa: PLC0415

    vector = VECTORS["crc32-desfire-ev1"]
    assert (
        crc32(bytes.fromhex(vector["inputs"]["data"] + vector["inputs"]["appended_status"])).hex()
        == vector["outputs"]["crc"]
    )
