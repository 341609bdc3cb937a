"""AN10922 for older types of keys against the public vectors; a changed bit of master or input gives another key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keys.diversify import diversify_aes128
from keys.diversify_older import diversify_aes192, diversify_tdea, with_version
from keys.errors import KeysError

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS: dict[str, dict[str, Any]] = {
    one["id"]: one
    for one in json.loads((Path(__file__).parents[1] / "vectors" / "card.json").read_text(encoding="utf-8"))[
        "vectors"
    ]
    if one["category"] == "an10922"
}
BY_NAME = {
    "aes128": diversify_aes128,
    "aes192": diversify_aes192,
    "2tdea": diversify_tdea,
    "3tdea": diversify_tdea,
}


def played(name: str) -> tuple[Callable[[bytes, bytes], bytes], bytes, bytes, bytes]:
    vector = VECTORS[name]
    master, m = (bytes.fromhex(vector["inputs"][field]) for field in ("master", "m"))
    out = vector["outputs"]
    return BY_NAME[name.split("-")[1]], master, m, bytes.fromhex(out.get("key_raw") or out["key"])


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_key_comes_of_the_published_input_and_of_no_other(name: str) -> None:
    derive, master, m, expected = played(name)
    assert derive(master, m) == expected
    for bit in range(8 * len(m)):
        changed = (int.from_bytes(m, "big") ^ 1 << bit).to_bytes(len(m), "big")
        assert derive(master, changed) != expected
    assert derive(bytes([master[0] ^ 2]) + master[1:], m) != expected


@pytest.mark.parametrize(
    ("name", "field"), [("an10922-2tdea", "key_with_version_0x55"), ("an10922-3tdea", "key_with_version")]
)
def test_a_des_key_carries_its_version_as_published(name: str, field: str) -> None:
    derive, master, m, _ = played(name)
    assert with_version(derive(master, m), 0x55).hex() == VECTORS[name]["outputs"][field]


def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(KeysError, match="1 to 15 bytes"):
        diversify_tdea(bytes(16), bytes(16))
    with pytest.raises(KeysError, match="1 to 31 bytes"):
        diversify_aes192(bytes(24), b"")
