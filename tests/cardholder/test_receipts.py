"""A receipt that proves itself: offered once its day is closed, checked by `hebat proof verify`, with nobody else's card in it."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.cli import app
from keys.clock import day_of
from ledger.proofs.proving import prove_tap
from tests.cardholder.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.issuing import Issued

EN = {"Accept-Language": "en"}


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[tuple[Town, Issued]]:
    """A city whose day is closed, and a card that rode on it."""
    with Town.open(tmp_path / "city") as town:
        card = town.card()
        town.rides(card, [3_500, 0], rules=("full",))
        page = town.holder(**EN)
        page.opens(card)
        assert "The proof is there once the day is closed" in page.get("/card/taps/2").text
        assert page.get("/card/taps/2/proof.json").status_code == 404
        town.city.ledger.close_window(day_of(date(2026, 11, 18)))
        yield town, card


def test_the_downloaded_proof_holds_for_the_command_and_breaks_with_any_byte(
    closed: tuple[Town, Issued], tmp_path: Path
) -> None:
    town, card = closed
    holder, key = town.holder(**EN), town.city.folder.checkpoints / "ledger-key.pem"
    holder.opens(card)
    proof = holder.get("/card/taps/2/proof.json")
    assert proof.headers["content-disposition"] == 'attachment; filename="tap-2.json"'
    assert (
        proof.content
        == prove_tap(town.city.ledger.database, town.known(card).partition, card.uid, 2).encode()
    )
    path = tmp_path / "tap.json"
    path.write_bytes(proof.content)
    command = ["proof", "verify", str(path), "--key", str(key)]
    assert CliRunner().invoke(app, command).exit_code == 0
    for at in range(0, len(proof.content), 37):
        path.write_bytes(proof.content[:at] + bytes((proof.content[at] ^ 1,)) + proof.content[at + 1 :])
        assert CliRunner().invoke(app, command).exit_code != 0


def test_a_proof_for_others_has_no_card_in_it_and_strangers_get_none(closed: tuple[Town, Issued]) -> None:
    town, card = closed
    other, holder = town.card(), town.holder(**EN)
    holder.opens(card)
    shared = json.loads(holder.get("/card/taps/2/anonymous.json").content)
    assert shared["opening"] is None
    assert card.chip.uid.hex() not in json.dumps(shared)
    stranger = town.holder(**EN)
    assert stranger.get("/card/taps/2/proof.json").status_code == 403
    stranger.opens(other)
    assert json.loads(holder.get("/card/taps/2/proof.json").content)["opening"]["uid"] == card.chip.uid.hex()
    assert stranger.get("/card/taps/2/proof.json").status_code == 403, "the other card has no such tap"


def test_only_a_receipt_with_a_proof_may_run_our_script(closed: tuple[Town, Issued]) -> None:
    town, card = closed
    holder = town.holder(**EN)
    page = holder.opens(card)
    assert "script" not in page.headers["content-security-policy"]
    assert "<script" not in page.text
    receipt = holder.get("/card/taps/2")
    assert "script-src 'self'" in receipt.headers["content-security-policy"]
    assert receipt.text.count("<script") == 1
    assert "unsafe" not in receipt.headers["content-security-policy"]
