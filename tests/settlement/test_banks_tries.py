"""Asking a bank again: how often, with which pauses, and that a payment is never asked for again by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keys.money import Rupiah, sen_of
from settlement.banks.payment import State
from settlement.banks.services import PAUSE_SECONDS, PAUSE_SECONDS_MAX, TRIES_MAX, BankServices
from settlement.errors import BankRefused, BankSilent
from settlement.snap import calls
from tests.settlement.banked import OPENED, OURS, Banked, payout, top_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.banks.payment import Payment
    from settlement.partner_bank.books import Kept
    from settlement.snap.calls import Call, Reply


class Silence:
    """A wire on which so many calls get no answer; then another's."""

    def __init__(self, count: int = 100, then: Callable[[Call], Reply] | None = None) -> None:
        self.calls: list[Call] = []
        self._count = count
        self._then = then

    def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        if self._then is not None and len(self.calls) > self._count:
            return self._then(call)
        raise BankSilent("nothing comes")


def _kept(banked: Banked, reference: str) -> Kept:
    """A payment as the bank keeps it."""
    banked.desk.pay(payout(reference))
    with banked.bank.books.session() as session:
        found = session.kept("ksh-client", reference)
    assert found is not None
    return found


def test_what_only_asks_is_tried_four_times_with_growing_pauses_and_no_more(
    banked: Banked, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = BankServices(banked.line, lambda: banked.desk.external_ids.next("bni"))
    services.balance(OURS)  # a token is there
    before = len(banked.wire.calls)
    monkeypatch.setattr(banked.wire, "send", tried := Silence())
    with pytest.raises(BankSilent):
        services.balance(OURS)
    assert (len(tried.calls), len(banked.wire.calls)) == (TRIES_MAX, before)
    assert len({call.header(calls.EXTERNAL_ID) for call in tried.calls}) == TRIES_MAX
    assert len(pauses) == TRIES_MAX - 1
    for number, pause in enumerate(pauses):  # stamina's own: doubled each time, and up to a second of jitter
        assert PAUSE_SECONDS * 2**number <= pause <= min(PAUSE_SECONDS * 2**number + 1, PAUSE_SECONDS_MAX)


def test_a_bank_that_answers_the_second_time_is_asked_twice(
    banked: Banked, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = BankServices(banked.line, lambda: banked.desk.external_ids.next("bni"))
    services.balance(OURS)
    monkeypatch.setattr(banked.wire, "send", tried := Silence(1, banked.wire.send))
    assert services.balance(OURS).balance == OPENED
    assert (len(tried.calls), len(pauses)) == (2, 1)


def test_what_a_bank_refuses_for_good_is_asked_once(banked: Banked, pauses: list[float]) -> None:
    services = BankServices(banked.line, lambda: banked.desk.external_ids.next("bni"))
    services.balance(OURS)
    before = len(banked.wire.calls)
    with pytest.raises(BankRefused):
        services.balance("404")
    assert (len(banked.wire.calls) - before, pauses) == (1, [])


@pytest.mark.parametrize("made", [payout, top_up], ids=["payout", "top-up"])
def test_a_payment_is_never_tried_again_by_itself(
    banked: Banked, pauses: list[float], monkeypatch: pytest.MonkeyPatch, made: Callable[[str], Payment]
) -> None:
    send = banked.wire.send
    banked.desk.pay(made("P0"))
    monkeypatch.setattr(banked.wire, "send", tried := Silence(1, send))
    assert banked.desk.pay(made("P1")).state is State.UNKNOWN
    assert (len(tried.calls), pauses, banked.moved("P1")) == (1, [], 0)


def test_a_reference_that_the_bank_knows_with_another_body_is_asked_after_and_not_given_back(
    banked: Banked,
) -> None:
    """The standard has an inconsistent request of a transfer taken as done: the money stays held until the bank says."""
    kept = replace(_kept(banked, "P0"), reference="P1")
    with banked.bank.books.session() as session:
        session.keep(kept)
    record = banked.desk.pay(payout("P1", 20_000))
    assert (record.state, record.code) == (State.UNKNOWN, "4041718")
    assert banked.wallet()[1] == sen_of(Rupiah(20_000))
    assert (
        banked.desk.advance("P1").state is State.UNKNOWN
    )  # it says done, and another amount: people must look
