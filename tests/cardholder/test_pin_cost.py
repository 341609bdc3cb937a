"""What a PIN's hash costs follows the release: one of another cost is renewed by the next right PIN, and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from ledger.cardholder import pins, store
from ledger.cardholder.pins import Tried
from ledger.cardholder.unit import noted
from tests.cardholder.town import PIN, WRONG

if TYPE_CHECKING:
    import pytest

    from ledger.intake.cards.issued import Card
    from tests.cardholder.town import Town


def stored(town: Town, card: Card) -> str:
    with town.city.ledger.database.transaction() as connection:
        row = store.pin_of(connection, card.partition, card.uid)
    assert row is not None
    return row.hash


def test_a_pin_is_stored_as_argon2id_at_the_cost_that_owasp_names(town: Town) -> None:
    kept = extract_parameters(stored(town, town.known(town.card())))
    assert (kept.type, kept.memory_cost, kept.time_cost, kept.parallelism) == (Type.ID, 19_456, 2, 1)


def test_a_pin_of_another_cost_is_stored_anew_when_it_is_right(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = town.known(town.card())
    before, attempt = stored(town, card), town.city.cardholders.pins.attempt
    today = PasswordHasher(time_cost=3, memory_cost=64, parallelism=1)
    monkeypatch.setattr(pins, "_HASHER", today)
    assert attempt(card, WRONG).tried is Tried.WRONG
    assert stored(town, card) == before
    assert attempt(card, PIN).tried is Tried.RIGHT
    after = stored(town, card)
    assert today.check_needs_rehash(before)
    assert not today.check_needs_rehash(after)
    assert attempt(card, PIN).tried is Tried.RIGHT
    assert stored(town, card) == after


def test_a_pin_that_was_changed_meanwhile_is_not_put_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, desk = town.known(town.card()), town.city.cardholders.pins
    monkeypatch.setattr(pins, "_HASHER", PasswordHasher(time_cost=3, memory_cost=64, parallelism=1))
    real = pins._renewed

    def slowly(hashed: str, keyed: bytes) -> str:
        row = store.PinRow(card.partition, card.uid, other, town.city.clock.now(), 0, 0)
        noted(town.city.ledger, lambda connection: store.put_pin(connection, row))
        return real(hashed, keyed)

    other = pins._HASHER.hash(b"another PIN, set at a counter")
    monkeypatch.setattr(pins, "_renewed", slowly)
    assert desk.attempt(card, PIN).tried is Tried.RIGHT
    assert stored(town, card) == other
