"""Client and bank as one machine: answers lost, doubled and late, either side killed. Money is conserved, each payment happens at most once, and every unknown is resolved by asking."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from keys.clock import UnixMs
from ledger.book import Ledger
from settlement.banks.desk import QUIET_MS
from settlement.banks.payment import OPEN, State
from settlement.errors import BankSilent, PaymentInvalid
from settlement.partner_bank.books import Books
from settlement.partner_bank.faults import Fault
from settlement.snap.codes import MOVING, Service
from tests.settlement.banked import AT_BANK, OPENED, OURS, Banked, make_vault, payout, top_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.banks.payment import Payment
    from settlement.snap.calls import Call, Reply

LONG = os.environ.get("HEBAT_LONG") == "1"
_FOLDER = Path(tempfile.mkdtemp(prefix="hebat-vault-"))
VAULT = make_vault(_FOLDER)
shutil.rmtree(_FOLDER)
FAULTS = st.lists(st.sampled_from(list(Fault)), max_size=2)


class PowerCut(BaseException):
    """The client's process is gone."""


def across(reference: str, rupiah: int) -> Payment:
    """To somebody's account at another bank."""
    sides = {"beneficiary": "8881234", "beneficiary_bank": "014", "beneficiary_name": "NASABAH 1234"}
    return replace(payout(reference, rupiah), service=Service.INTERBANK, **sides)  # type: ignore[arg-type]


class ClientAndBank(RuleBasedStateMachine):
    """A wallet's money goes out to accounts and comes in from a saver, over a bad line."""

    references = Bundle("references")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hebat-machine-"))
        self.banked = Banked.make(self.folder, VAULT)
        self.payments: dict[str, Payment] = {}
        self.cuts: list[bool] = []
        self.deaf = False
        self._watch()

    def _watch(self) -> None:
        real = self.banked.wire.send

        def send(call: Call) -> Reply:
            cut = self.cuts.pop(0) if self.cuts and self.banked.bank.paths[call.path] in MOVING else None
            if cut is False:
                raise PowerCut
            reply = real(call)
            if cut:
                raise PowerCut
            if self.deaf and self.banked.bank.paths[call.path] not in MOVING:
                raise BankSilent("what was asked is answered, and nobody hears it")
            return reply

        self.banked.wire.send = send  # type: ignore[method-assign]

    @rule(target=references, make=st.sampled_from([payout, across, top_up]), rupiah=st.integers(1, 600_000), faults=FAULTS, late=st.booleans(), cut=st.sampled_from([None, None, None, False, True]))  # fmt: skip
    def pay(
        self,
        make: Callable[[str, int], Payment],
        rupiah: int,
        faults: list[Fault],
        late: bool,
        cut: bool | None,
    ) -> object:
        reference = f"P{len(self.payments) + 1}"
        payment = make(reference, rupiah)
        self.banked.bank.faults.script(faults)
        self.banked.wire.delays = int(late)
        self.cuts = [] if cut is None else [cut]
        try:
            self.banked.desk.pay(payment)
        except PaymentInvalid:
            assert make is not top_up
            return multiple()  # the wallet is short: nothing was planned
        except PowerCut:
            self.client_starts_again()
        self.payments[reference] = payment
        self.banked.wire.delays = 0
        self.cuts = []
        return reference

    @rule(reference=references, faults=FAULTS, deaf=st.booleans())
    def look_after(self, reference: str, faults: list[Fault], deaf: bool) -> None:
        self.banked.bank.faults.script(faults)
        self.deaf = deaf
        self.banked.desk.advance(reference)
        self.deaf = False

    @rule(reference=consumes(references))
    def pay_the_same_again(self, reference: str) -> None:
        self.banked.desk.pay(self.payments[reference])

    @rule(milliseconds=st.sampled_from([1_000, 60_000, 299_000, QUIET_MS + 1]))
    def time_passes(self, milliseconds: int) -> None:
        self.banked.clock.at = UnixMs(self.banked.clock.at + milliseconds)

    @rule()
    def late_calls_arrive(self) -> None:
        self.banked.wire.let_in()

    @rule()
    def the_bank_does_what_was_under_way(self) -> None:
        self.banked.bank.finish_under_way()

    @rule()
    def the_bank_starts_again(self) -> None:
        bank = self.banked.bank
        bank.books.close()
        bank.books = Books(self.folder / "bank.db")
        bank.front.forget_tokens()

    @rule()
    def client_starts_again(self) -> None:
        old = self.banked
        old.ledger.close()
        ledger = Ledger.open(f"sqlite:///{self.folder / 'ledger.db'}", old.clock)
        self.banked = Banked.joined(ledger, old.bank, old.clock, VAULT)
        self.banked.wire.late = old.wire.late
        self._watch()

    @invariant()
    def money_is_conserved_and_nothing_happens_twice(self) -> None:
        with self.banked.bank.books.session() as session:
            assert session.total() == 3 * OPENED
        wallet = held = OPENED * 0
        for reference, payment in self.payments.items():
            state, moved = self.banked.desk.find(reference).state, self.banked.moved(reference)
            assert moved <= 1
            assert state not in {State.DONE, State.FAILED} or moved == (state is State.DONE)
            out = payment.credit == AT_BANK
            wallet += (-payment.amount if out else payment.amount) * (state is State.DONE)
            held += payment.amount * (out and state in OPEN)
        assert self.banked.wallet() == (OPENED + wallet, held)

    def teardown(self) -> None:
        try:
            self._all_is_known_in_the_end()
        finally:
            self.banked.close()
            shutil.rmtree(self.folder)

    def _all_is_known_in_the_end(self) -> None:
        self.banked.bank.faults._script.clear()
        self.cuts, self.banked.wire.delays = [], 0
        for _ in range(3):
            self.banked.clock.at = UnixMs(self.banked.clock.at + QUIET_MS + 60_000)
            self.banked.wire.let_in()
            self.banked.bank.finish_under_way()
            self.banked.desk.resume()
        assert [one.payment.reference for one in self.banked.desk.open_payments()] == []
        self.money_is_conserved_and_nothing_happens_twice()
        there = self.banked.ledger.balance(AT_BANK)
        assert self.banked.balance(OURS) - OPENED == there.debits_posted - there.credits_posted


TestClientAndBank = ClientAndBank.TestCase
TestClientAndBank.settings = settings(
    max_examples=300 if LONG else 12, stateful_step_count=30 if LONG else 12, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
