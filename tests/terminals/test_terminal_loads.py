"""Loads at a kiosk whose ledger answers what it should not: nothing is green without proof, and nothing goes on for ever.

Loads with a real ledger are in tests/ledger/test_relay.py and tests/system/test_tears.py.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from card import far
from card.batch import RELAYED_FROM, STEP_CONTENT_TYPE
from keys import envelope
from keys.money import Rupiah
from terminals.errors import Offline, UploadRefused
from terminals.loading import STEPS_MAX
from terminals.tap import Colour
from tests.terminals.depot import Clock, Ledger, Server, card, terminal, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from keys.filevault import FileVault
    from terminals.terminal import Terminal

AMOUNT = Rupiah(20_000)


@pytest.fixture
def kiosk(tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger) -> Iterator[Terminal]:
    server = Server(ledger)
    with terminal(tmp_path, shared_vault, still, ledger, server.address) as made:
        yield made
    server.close()


def step(number: int, apdus: list[bytes], outcome: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"session": "00" * 16, "step": number, "apdus": [one.hex() for one in apdus], "outcome": outcome}


def green(ledger: Ledger, terminal: int = 1001, request: int = 1, *, more: int = 0) -> dict[str, Any]:
    record = RELAYED_FROM + request
    fields = [terminal, record, record + more, bytes(32), 1, 1, bytes(32)]
    receipt = envelope.seal(cbor2.dumps(fields), kid=b"ledger", sign=ledger.key.sign, content_type="x")
    return {
        "colour": "green", "reason": "paid", "detail": "", "amount": 20_000, "balance": 70_000, "sequence": 5,
        "receipt": base64.b64encode(receipt).decode(),
    }  # fmt: skip


def test_without_a_ledger_nothing_is_loaded_and_the_next_request_has_a_fresh_number(
    tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger
) -> None:
    chip = card(shared_vault)
    with terminal(tmp_path, shared_vault, still, ledger, "http://127.0.0.1:1", 1009) as lonely:
        with pytest.raises(Offline):
            lonely.load(chip, AMOUNT)
        assert (value_of(chip), lonely.outbox.waiting, lonely.outbox.next_request()) == (50_000, 0, 2)


@pytest.mark.parametrize("answer", [{"authorisation": 41}, [], 7, {"apdus": ["zz"], "outcome": None}])
def test_an_answer_that_is_no_step_loads_nothing(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger, answer: object
) -> None:
    chip = card(shared_vault)
    ledger.steps = [answer]
    with pytest.raises(UploadRefused, match="no step of a load"):
        kiosk.load(chip, AMOUNT)
    assert value_of(chip) == 50_000


def test_the_cards_answers_go_back_signed_and_green_needs_the_ledgers_receipt(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger
) -> None:
    ledger.steps = [step(1, far.selecting()), step(2, [], green(ledger))]
    outcome = kiosk.load(card(shared_vault), AMOUNT)
    assert (outcome.colour, outcome.balance, outcome.sequence) == (Colour.GREEN, 70_000, 5)
    sent = envelope.parse(ledger.bodies[1])
    assert (sent.content_type, sent.kid) == (STEP_CONTENT_TYPE, (1001).to_bytes(4, "big"))
    session, number, answers = cbor2.loads(sent.payload)
    assert (session, number, [answer[-2:] for answer in answers]) == (bytes(16), 1, [b"\x91\x00"] * 2)


@pytest.mark.parametrize(
    "wrong", ["other key", "other terminal", "an earlier load's", "of several records", "none"]
)
def test_green_without_the_ledgers_receipt_for_this_load_is_amber(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger, wrong: str
) -> None:
    told: dict[str, Callable[[], dict[str, Any]]] = {
        "other key": lambda: green(Ledger()),
        "other terminal": lambda: green(ledger, 7),
        "an earlier load's": lambda: green(ledger, request=0),
        "of several records": lambda: green(ledger, more=1),
        "none": lambda: green(ledger) | {"receipt": ""},
    }
    outcome = told[wrong]()
    ledger.steps = [step(1, far.selecting()), step(2, [], outcome)]
    shown = kiosk.load(card(shared_vault), AMOUNT)
    assert (shown.colour, shown.reason) == (Colour.AMBER, "tap-again")


def test_a_ledger_that_goes_on_and_on_is_left(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger
) -> None:
    ledger.steps = [step(number, far.selecting()) for number in range(1, STEPS_MAX + 10)]
    assert kiosk.load(card(shared_vault), AMOUNT).colour is Colour.AMBER
    assert len(ledger.bodies) == STEPS_MAX + 1


@pytest.mark.parametrize("status", ["410", "409", "500"])
def test_a_ledger_that_forgot_the_load_is_amber_for_the_card_may_have_been_loaded(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger, status: str
) -> None:
    ledger.steps = [step(1, far.selecting())]
    ledger.mishaps = ["", status]
    assert kiosk.load(card(shared_vault), AMOUNT).colour is Colour.AMBER
