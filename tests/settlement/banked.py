"""A client and a partner bank that know each other, in one process: what the tests of `settlement.banks` share."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from keys.clock import UnixMs, moment
from keys.money import Rupiah, Sen, sen_of
from keys.partner import PartnerVault
from ledger.book import Ledger
from ledger.bundles import tables as bundle_tables
from ledger.chart import Code, account_id, partition_of
from ledger.intake import tables as intake_tables
from ledger.transfer import Kind, Transfer
from settlement.banks import tables
from settlement.banks.desk import PaymentDesk
from settlement.banks.dialects import dialect_of
from settlement.banks.line import BankLine, BankName
from settlement.banks.payment import Payment
from settlement.errors import BankSilent
from settlement.partner_bank.bank import NoAnswer, PartnerBank
from settlement.partner_bank.books import CLEARING, Binding, Books
from settlement.partner_bank.front import Front
from settlement.snap.codes import Service
from tests.empty import new_ledger
from tests.ledger.entries import SetClock

if TYPE_CHECKING:
    from pathlib import Path

    from keys.clock import Clock
    from settlement.snap.calls import Call, Reply

OURS, SHOP, SAVER = "1000000001", "2000000002", "3000000003"
CODE, CONSENT = "code-of-the-saver", "consent-of-the-saver"
SECRET = b"a secret that two parties share"
OPENED = sen_of(Rupiah(1_000_000))
NOON = moment(datetime(2026, 11, 18, 12))  # noqa: DTZ001  the city's wall clock
BANK_CODE = 9
CARD = 936000090000001
WALLET = account_id(Code.WALLET, partition_of(CARD), CARD)
AT_BANK = account_id(Code.BANK_SETTLEMENT, partition_of(CARD), BANK_CODE)
AGENT = account_id(Code.AGENT_CASH, partition_of(CARD), 1)
TABLES = (tables.metadata, bundle_tables.metadata, intake_tables.metadata)


def make_vault(folder: Path, cost: int = 2**4) -> PartnerVault:
    vault = PartnerVault.create(folder / "partners.vault", "open sesame, but longer", cost)
    vault.add("bni", SECRET)
    return vault


@dataclass
class Direct:
    """A wire without sockets: the bank itself. Calls that went out are remembered; some can be kept back and come late."""

    bank: PartnerBank
    calls: list[Call] = field(default_factory=list)
    late: list[Call] = field(default_factory=list)
    delays: int = 0

    def send(self, call: Call) -> Reply:
        self.calls.append(call)
        if self.delays and self.bank.paths.get(call.path) in {
            Service.INTRABANK,
            Service.INTERBANK,
            Service.DIRECT_DEBIT,
        }:
            self.delays -= 1
            self.late.append(call)
            raise BankSilent("the call is on its way")
        try:
            return self.bank.handle(call)
        except NoAnswer:
            raise BankSilent("no answer") from None

    def let_in(self) -> None:
        """What was kept back arrives; nobody waits for its answer any more."""
        waiting, self.late = self.late, []
        for call in waiting:
            with suppress(NoAnswer):
                self.bank.handle(call)


def make_bank(path: Path, clock: Clock, vault: PartnerVault) -> PartnerBank:
    books = Books(path)
    dialect = dialect_of("bni")
    paths = {dialect.path(service): service for service in Service if service is not Service.VA_NOTIFY}
    with books.session() as session:
        session.add_client("ksh-client", "KSH", vault.public_key("bni"))
        session.open_account(CLEARING, "OTHER BANKS")
        session.open_account(OURS, "KARTU SEMARANG HEBAT", OPENED)
        session.open_account(SHOP, "LUMPIA GANG LOMBOK", OPENED)
        session.open_account(SAVER, "SARI W", OPENED, CODE)
        session.bind(Binding(CONSENT, "ksh-client", "BOUND", SAVER, True))
    return PartnerBank(books, Front({"ksh-client": SECRET}.get), clock, paths)


@dataclass
class Banked:
    """A ledger whose wallet holds Rp1,000,000, its desk, and the bank behind it."""

    ledger: Ledger
    desk: PaymentDesk
    line: BankLine
    bank: PartnerBank
    wire: Direct
    clock: SetClock
    vault: PartnerVault

    @classmethod
    def make(cls, folder: Path, vault: PartnerVault) -> Banked:
        url = f"sqlite:///{folder / 'ledger.db'}"
        new_ledger(url, *TABLES).close()
        clock = SetClock(UnixMs(NOON))
        bank = make_bank(folder / "bank.db", clock, vault)
        banked = cls.joined(Ledger.open(url, clock), bank, clock, vault)
        banked.ledger.post([Transfer(AGENT, WALLET, OPENED, Kind.DEPOSIT, NOON, banked.ledger.open_window())])
        return banked

    @classmethod
    def joined(cls, ledger: Ledger, bank: PartnerBank, clock: SetClock, vault: PartnerVault) -> Banked:
        wire = Direct(bank)
        name = BankName("bni", dialect_of("bni"), "ksh-client", "KSH", OURS)
        line = BankLine(name, wire, vault, clock)
        return cls(ledger, PaymentDesk(ledger, {"bni": line}, clock), line, bank, wire, clock, vault)

    def close(self) -> None:
        self.ledger.close()
        self.bank.books.close()

    def balance(self, account: str) -> Sen:
        with self.bank.books.session() as session:
            found = session.account(account)
        assert found is not None
        return found.balance

    def wallet(self) -> tuple[int, int]:
        """What the wallet holds, and what of it is held."""
        found = self.ledger.balance(WALLET)
        return found.credits_posted - found.debits_posted, found.debits_pending

    def moved(self, reference: str) -> int:
        with self.bank.books.session() as session:
            return session.done(reference)

    def bodies(self) -> list[Any]:
        return [call.body for call in self.wire.calls]


def payout(reference: str, rupiah: int = 10_000) -> Payment:
    """From a wallet to somebody's account at the bank."""
    return Payment(
        reference, "bni", Service.INTRABANK, sen_of(Rupiah(rupiah)), OURS, SHOP, text="sweep", debit=WALLET, credit=AT_BANK,
        kind=Kind.PAYOUT,
    )  # fmt: skip


def top_up(reference: str, rupiah: int = 10_000) -> Payment:
    """From a saver's account at the bank into the wallet, by direct debit."""
    return Payment(
        reference, "bni", Service.DIRECT_DEBIT, sen_of(Rupiah(rupiah)), CONSENT, OURS, text="top-up", debit=AT_BANK, credit=WALLET,
        kind=Kind.DEPOSIT,
    )  # fmt: skip
