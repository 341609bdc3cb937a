"""A ceremony step by step, over days and people."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import pytest

from keys.ceremony import Component
from keys.clock import UnixMs
from keys.diversify import xor
from keys.errors import CeremonyError, VaultLocked, VaultSwapped
from keys.softkey import check_value
from keys.steps import Steps
from keys.vault import KeyName, Purpose

if TYPE_CHECKING:
    from pathlib import Path

    from keys.vault import KeyVault

NAME = KeyName("debit", 1)
VALUES = [bytes([number]) * 15 + b"\x07" for number in (1, 2, 4)]


def component(number: int) -> Component:
    return Component(f"custodian {number}", VALUES[number], check_value(VALUES[number]))


def test_a_ceremony_goes_on_where_it_was_left_and_tells_everything(vault: KeyVault, tmp_path: Path) -> None:
    path = tmp_path / "ceremony.state"
    for number in range(3):
        steps = Steps.begin(path, "words", NAME, 16)
        assert steps.taken == number
        steps.take(component(number), "second")
        assert not any(value in path.read_bytes() for value in VALUES)
    steps = Steps.begin(path, "words", NAME, 16)
    record = steps.finish(vault, NAME, Purpose.CARD, UnixMs(7))
    assert record == Steps.begin(path, "words", NAME, 16).finish(vault, NAME, Purpose.CARD, UnixMs(7))
    steps.forget()
    assert not path.exists()
    assert (
        record.check_value == check_value(reduce(xor, VALUES)).hex() == vault.contents()[0].check_value.hex()
    )
    assert record.component_check_values == tuple(check_value(value).hex() for value in VALUES)
    assert record.witnesses == ("second",) * 3
    assert len(set(record.custodians)) == 3


def test_nobody_gives_two_components_or_is_alone(tmp_path: Path) -> None:
    steps = Steps.begin(tmp_path / "s", "words", NAME, 16)
    steps.take(component(0), "second")
    for one, witness, reason in (
        (component(0), "second", "another custodian must come"),
        (
            Component(" Custodian 0", VALUES[1], check_value(VALUES[1])),
            "second",
            "another custodian must come",
        ),
        (Component("custodian 1", VALUES[0], check_value(VALUES[0])), "second", "cancel out"),
        (component(1), "Custodian 1 ", "takes two people"),
        (component(1), "custodian 1", "takes two people"),
        (component(1), "", "takes two people"),
    ):
        with pytest.raises(CeremonyError, match=reason):
            steps.take(one, witness)
    assert steps.taken == 1
    assert VALUES[0].hex() not in repr(steps)


def test_too_few_or_too_many_components_make_no_key(vault: KeyVault, tmp_path: Path) -> None:
    steps = Steps.begin(tmp_path / "s", "words", NAME, 16)
    with pytest.raises(CeremonyError, match="0 of 3"):
        steps.finish(vault, NAME, Purpose.CARD, UnixMs(0))
    for number in range(3):
        steps.take(component(number), "second")
    with pytest.raises(CeremonyError, match="all 3"):
        steps.take(component(0), "second")
    assert vault.contents() == []


def test_a_state_opens_with_its_passphrase_for_its_key_alone(tmp_path: Path) -> None:
    Steps.begin(tmp_path / "s", "words", NAME, 16).take(component(0), "second")
    with pytest.raises(VaultLocked):
        Steps.begin(tmp_path / "s", "others-than-at-the-beginning", NAME, 16)
    with pytest.raises(VaultSwapped, match="belongs to debit version 1"):
        Steps.begin(tmp_path / "s", "words", KeyName("load", 1), 16)
