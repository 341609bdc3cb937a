"""The demo's banks write what banks write: documents that their schemas accept and that add up."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import mt940
import pytest
from lxml import etree

from hebat.demo import statements
from hebat.demo.statements import Account, Movement
from keys.money import Sen

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = Account(
    "BNI", "0099001122", date(2026, 11, 18), 1, Sen(100_000),
    (Movement(Sen(-350_050), "KSH-20261118-0009-0001", "payout", "B1"), Movement(Sen(1_000), "", "interest", "B2")),
)  # fmt: skip


@pytest.mark.parametrize("version", ["02", "04", "08"])
def test_camt053_is_valid_against_its_schema(data: Path, version: str) -> None:
    schema = etree.XMLSchema(etree.parse(data / "xsd" / f"camt.053.001.{version}.xsd"))
    schema.assertValid(etree.fromstring(statements.camt053(ACCOUNT, version)))
    assert ACCOUNT.closing == -249_050


def test_mt940_is_read_back_by_an_independent_parser() -> None:
    parsed = mt940.parse(statements.mt940(ACCOUNT).decode())
    amounts = [int(line.data["amount"].amount * 100) for line in parsed]
    assert amounts == [-350_050, 1_000]
    assert int(parsed.data["final_closing_balance"].amount.amount * 100) == ACCOUNT.closing
