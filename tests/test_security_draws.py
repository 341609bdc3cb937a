"""What is drawn by chance to protect something comes out of the operating system, as many bits of it as it has: who knows the dice foretells nothing."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import pytest

from hebat.cards.printing import mailers
from hebat.schema import TABLES
from keys import softkey
from keys.ceremony import Component
from keys.clock import SystemClock
from keys.ticket import Ticket
from ledger.cardholder.disputes import _new_number
from ledger.cardholder.pins import new_pin
from ledger.cardholder.views import Views
from ledger.chart import Partition
from ledger.clients.register import add_client
from ledger.clients.scopes import Scope
from ledger.intake import registry
from settlement.staff import codes, sessions
from tests.empty import new_ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def ticket() -> str:
    with mock.patch("keys.ticket.fingerprint", return_value="A" * 16):
        return Ticket.drawn(7, b"").code


DRAWN: Final[dict[str, tuple[Callable[[], Any], int]]] = {
    "a session of staff": (sessions.new_token, 256),
    "an authenticator": (codes.new_secret, 160),
    "ten recovery codes": (codes.new_recovery_codes, 10 * 50),
    "an enrolment code": (ticket, 80),
    "the address of a card's page": (registry.new_token, 128),
    "a PIN": (new_pin, 19),
    "a report's number": (lambda: _new_number(Partition(1)), 88),
    "the key of holders' views": (lambda: Views(SystemClock())._key, 256),
    "a key of a vault": (softkey.random_key, 128),
    "a custodian's component": (lambda: Component.drawn("first")._value, 128),
    "the passphrase of a sheet of PINs": (mailers.new_passphrase, 120),
}


class Counted:
    """The operating system's generator, and how many bits it was asked for."""

    def __init__(self) -> None:
        self.bits, self._real = 0, os.urandom

    def __call__(self, size: int) -> bytes:
        self.bits += 8 * size
        return self._real(size)


def drawn(draw: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, int]:
    """What is drawn after somebody has set the dice, and the bits that it took from the operating system."""
    counted = Counted()
    with monkeypatch.context() as patched:
        patched.setattr(os, "urandom", counted)
        patched.setattr(random, "_urandom", counted)
        random.seed(1)
        return draw(), counted.bits


@pytest.mark.parametrize("what", DRAWN)
def test_what_protects_something_is_drawn_from_the_operating_system(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, bits = DRAWN[what]
    once, asked = drawn(draw, monkeypatch)
    again, _ = drawn(draw, monkeypatch)
    assert asked >= bits
    assert once != again or what == "a PIN"


def test_a_partners_token_is_drawn_from_the_operating_system_and_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", *TABLES)
    token, asked = drawn(
        lambda: add_client(database, "kiosk", [Scope.DEBITS], SystemClock().now()), monkeypatch
    )
    assert asked >= 256
    database.engine.dispose()
    assert all(token.encode() not in path.read_bytes() for path in tmp_path.iterdir())
