"""AES-CMAC and AN10922 against public vectors, and the keys that vaults hand out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.cmac import aes_cmac
from keys.diversify import card_input, diversify_aes128, subkeys
from keys.errors import KeysError
from keys.softkey import SoftKey, crc32

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "card.json").read_text(encoding="utf-8")
)["vectors"]


def of(category: str, field: str) -> list[Any]:
    return [
        pytest.param(one, id=one["id"])
        for one in VECTORS
        if one["category"] == category and field in one["outputs"]
    ]


@pytest.mark.parametrize("vector", of("aes-cmac", "cmac"))
def test_cmac_gives_the_published_answer_and_no_other_message_does(vector: dict[str, Any]) -> None:
    key, message = (bytes.fromhex(vector["inputs"][name]) for name in ("key", "message"))
    assert aes_cmac(key, message).hex() == vector["outputs"]["cmac"]
    assert aes_cmac(key, message + b"\x00").hex() != vector["outputs"]["cmac"]


@pytest.mark.parametrize("vector", of("aes-cmac", "k1"))
def test_subkeys_are_the_published_ones(vector: dict[str, Any]) -> None:
    k1, k2 = subkeys(bytes.fromhex(vector["inputs"]["key"]))
    assert (k1.hex(), k2.hex()) == (vector["outputs"]["k1"], vector["outputs"]["k2"])


@pytest.mark.parametrize("name", ["an10922-aes128", "an10922-aes128-short-m"])
def test_an10922_gives_the_published_key(name: str) -> None:
    vector = next(one for one in VECTORS if one["id"] == name)
    key = diversify_aes128(bytes.fromhex(vector["inputs"]["master"]), bytes.fromhex(vector["inputs"]["m"]))
    assert key.hex() == vector["outputs"]["key"]
    assert (
        key.hex() != "721e2c01e81af85d815633969cea2607"
    )  # the 16-byte variant that a library once got wrong


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=7, max_size=7),
    st.integers(0, 16),
    st.integers(0, 255),
)
def test_our_inputs_are_such_that_plain_cmac_diversifies_too(
    master: bytes, uid: bytes, key_no: int, version: int
) -> None:
    m = card_input(uid, key_no, version)
    assert diversify_aes128(master, m) == aes_cmac(master, b"\x01" + m)


def test_a_uid_of_another_size_is_refused() -> None:
    with pytest.raises(KeysError, match="7 bytes, not 4"):
        card_input(bytes(4), 0, 1)


@pytest.mark.parametrize("name", ["crc32-newkey"])
def test_crc32_is_the_chips(name: str) -> None:
    vector = next(one for one in VECTORS if one["id"] == name)
    assert crc32(bytes.fromhex(vector["inputs"]["data"])).hex() == vector["outputs"]["crc"]


def test_a_key_shows_nowhere() -> None:
    value = bytes(range(16))
    key = SoftKey(value, 3)
    assert value.hex() not in repr(key)
    assert "03" not in repr(key).replace("version 3", "")
