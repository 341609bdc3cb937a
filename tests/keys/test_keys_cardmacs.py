"""Transaction MAC Values by the processor's instructions and through OpenSSL: RFC 4493, a real chip's transcript, and each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from card import evidence
from keys import aesni, cardmacs
from keys.diversify import card_input, diversify_aes128
from keys.errors import KeyMissing, KeyRetired
from keys.filevault import FileVault
from keys.ledgervault import LedgerVault
from keys.softkey import SoftKey
from keys.vault import Role

if TYPE_CHECKING:
    import numpy.typing as npt

WAYS = [cardmacs.by_instructions, cardmacs.one_by_one] if aesni.USABLE else [cardmacs.one_by_one]
RFC_4493_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
RFC_4493_AES_OF_ZERO = bytes.fromhex("7df76b0c1ab899b33e42f047b91b546f")


def of(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(bytearray(data), np.uint8)


def encrypted(key: bytes, block: bytes) -> bytes:
    round_keys, state = np.zeros(aesni.ROUND_KEY_BYTES, np.uint8), np.zeros(16, np.uint8)
    _block(of(key), of(block), round_keys, state)
    return state.tobytes()


@njit
def _block(key: Any, block: Any, round_keys: Any, state: Any) -> None:
    aesni.expand(key, round_keys)
    aesni.absorb(round_keys, state, block, np.int64(0))


@given(key=st.binary(min_size=16, max_size=16), block=st.binary(min_size=16, max_size=16))
@settings(max_examples=60, deadline=None)
def test_one_block_is_encrypted_as_by_openssl(key: bytes, block: bytes) -> None:
    if aesni.USABLE:
        assert encrypted(key, block) == Cipher(AES(key), ECB()).encryptor().update(block)
    assert Cipher(AES(RFC_4493_KEY), ECB()).encryptor().update(bytes(16)) == RFC_4493_AES_OF_ZERO


def test_the_example_key_of_rfc_4493_section_4() -> None:
    if aesni.USABLE:
        assert encrypted(RFC_4493_KEY, bytes(16)) == RFC_4493_AES_OF_ZERO
    subkey = of(RFC_4493_AES_OF_ZERO)
    cardmacs._double(subkey)
    assert subkey.tobytes().hex() == "fbeed618357133667c85e08f7236a8de"
    cardmacs._double(subkey)
    assert subkey.tobytes().hex() == "f7ddac306ae266ccf90bc11ee46d513b"


def test_the_value_of_a_real_chip() -> None:
    """NXP AN12343 table 32: key, UID, counter and input of a chip, and the value that it gave."""
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "card.json").read_text(encoding="utf-8"))[
        "vectors"
    ]
    (vector,) = [one for one in vectors if one["id"] == "tm-full-an12343"]
    told, tmi = vector["inputs"], bytes.fromhex(vector["inputs"]["tmi"])
    key, uid = bytes.fromhex(told["app_transaction_mac_key"]), bytes.fromhex(told["uid"])
    assert evidence.tmv_of(SoftKey(key, 1), uid, told["tmc"], tmi).hex() == vector["outputs"]["tmv"]
    if aesni.USABLE:
        zeros, block, first, out = (np.zeros(size, np.uint8) for size in (16, 16, 16, 8))
        keyed = np.zeros(aesni.ROUND_KEY_BYTES, np.uint8)
        compute: Any = cardmacs._value
        compute(of(key), of(uid), told["tmc"], of(tmi), 0, len(tmi), zeros, block, first, keyed, out)
        assert out.tobytes().hex() == vector["outputs"]["tmv"]


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_many_values_are_those_of_the_card_by_itself(way: Any, data: st.DataObject) -> None:
    master = data.draw(st.binary(min_size=16, max_size=16))
    count, version = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 255))
    uids = [data.draw(st.binary(min_size=7, max_size=7)) for _ in range(count)]
    tmcs = [data.draw(st.integers(1, 2**32 - 1)) for _ in range(count)]
    inputs = [data.draw(st.binary(min_size=1, max_size=80)) for _ in range(count)]
    inputs = [one.ljust(-(-len(one) // 16) * 16, b"\0") for one in inputs]
    ends = np.cumsum([len(one) for one in inputs], dtype=np.int64)
    starts = ends - np.array([len(one) for one in inputs], np.int64)
    joined = of(b"".join(inputs))
    given_uids = of(b"".join(uids)).reshape(-1, 7)
    key_no = Role.TRANSACTION_MAC.key_no
    found = way(master, key_no, version, given_uids, np.array(tmcs, np.int64), joined, starts, ends)
    for row, (uid, tmc, tmi) in enumerate(zip(uids, tmcs, inputs, strict=True)):
        assert found[row].tobytes() == evidence.tmv_of(_card_key(master, uid, version), uid, tmc, tmi)


def _card_key(master: bytes, uid: bytes, version: int) -> Any:
    return SoftKey(diversify_aes128(master, card_input(uid, Role.TRANSACTION_MAC.key_no, version)), version)


def test_law_11_the_vault_gives_values_and_never_a_key_nor_one_that_is_retired(tmp_path: Path) -> None:
    made = FileVault.create(tmp_path / "vault", "x", 16)
    made.add_master(Role.TRANSACTION_MAC, 1, bytes(range(16)))
    vault = LedgerVault.open(tmp_path / "vault", "x")
    numbers = np.array([0], np.int64), np.array([16], np.int64)
    given_ = (of(bytes(7)).reshape(1, 7), np.array([1], np.int64), of(bytes(16)), *numbers)
    value = vault.transaction_macs(1, *given_)
    key = vault.card_key(Role.TRANSACTION_MAC, 1, bytes(7))
    assert value.tobytes() == evidence.tmv_of(key, bytes(7), 1, bytes(16))
    assert not vault.shows_in(value.tobytes())
    with pytest.raises(KeyMissing):
        vault.transaction_macs(2, *given_)
    vault.add_master(Role.TRANSACTION_MAC, 2, bytes(16))
    vault.retire(Role.TRANSACTION_MAC, 1)
    with pytest.raises(KeyRetired):
        vault.transaction_macs(1, *given_)
