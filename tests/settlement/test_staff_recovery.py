"""Recovery codes at rest: scrypt at its real cost, salted with whose they are."""

from __future__ import annotations

from typing import Final

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from settlement.staff import codes

COST: Final = codes.RECOVERY_COST
"""As the package has it: read before the fixture of this folder makes it cheap."""


@pytest.fixture(autouse=True)
def real_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the cost is what is tested."""
    monkeypatch.setattr(codes, "RECOVERY_COST", COST)


def test_a_recovery_code_is_stored_by_scrypt_with_4_mib_a_guess() -> None:
    by_hand = Scrypt(salt=b"maker", length=32, n=4096, r=8, p=1).derive(b"ABCDE23456")
    assert codes.recovery_digest("maker", "ABCDE-23456") == by_hand


def test_how_a_code_is_typed_does_not_matter_and_whose_it_is_does() -> None:
    kept = codes.recovery_digest("maker", "ABCDE-23456")
    assert codes.recovery_digest("maker", " abcde 23456 ") == kept
    assert codes.recovery_digest("checker", "ABCDE-23456") != kept
    assert codes.recovery_digest("maker", "ABCDE-23457") != kept
