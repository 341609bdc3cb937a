"""Key blocks: the published one opens, ours say what they hold, and no other is taken."""

from __future__ import annotations

import pytest
from psec import tr31 as psec_tr31

from keys import tr31
from keys.errors import KeyBlockError, KeyMisused
from keys.softkey import check_value
from keys.vault import KeyName, Role

KBPK = bytes(range(32))
VALUE = bytes.fromhex("00112233445566778899aabbccddeeff")
# TR-31:2018, A.7.4
PUBLISHED_KBPK = bytes.fromhex("88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6")
PUBLISHED = (
    "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D2"
    "07E2E417C07156A27E8E31DA05F7425509593D03A457DC34"
)


def test_the_library_opens_the_published_block() -> None:
    header, value = psec_tr31.unwrap(PUBLISHED_KBPK, PUBLISHED)
    assert value.hex().upper() == "3F419E1CB7079442AA37474C2EFBF8B8"
    assert (header.version_id, header.key_usage) == ("D", "P0")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("version", [0, 1, 255])
def test_a_block_carries_role_version_and_value(role: Role, version: int) -> None:
    name = KeyName(role.value, version)
    block = tr31.wrap(KBPK, name, VALUE)
    assert block.startswith("D")
    assert VALUE.hex() not in block.lower()
    assert check_value(VALUE).hex().upper() in block
    assert tr31.unwrap(KBPK, block) == (name, VALUE)


def test_every_changed_character_is_found() -> None:
    block = tr31.wrap(KBPK, KeyName("debit", 1), VALUE)
    for at, character in enumerate(block):
        changed = block[:at] + ("0" if character != "0" else "1") + block[at + 1 :]
        with pytest.raises(KeyBlockError):
            tr31.unwrap(KBPK, changed)


@pytest.mark.parametrize("block", ["", "D", "D0000", "x" * 200, "é" * 112])
def test_what_is_no_block_is_refused(block: str) -> None:
    with pytest.raises(KeyBlockError):
        tr31.unwrap(KBPK, block)


def test_another_kind_of_key_or_another_transport_key_is_refused() -> None:
    with pytest.raises(KeyBlockError, match="no master key of a card"):
        tr31.unwrap(PUBLISHED_KBPK, PUBLISHED)
    with pytest.raises(KeyBlockError, match="another transport key"):
        tr31.unwrap(bytes(32), tr31.wrap(KBPK, KeyName("debit", 1), VALUE))
    with pytest.raises(KeyMisused, match="no card role"):
        tr31.wrap(KBPK, KeyName("seal", 1), VALUE)
