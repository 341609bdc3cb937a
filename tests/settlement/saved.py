"""A card with a wallet, a bank behind it, and the Saving pocket between: what the tests of `settlement.saving` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.layout import luhn_ok
from keys.clock import UnixMs, day_of, local
from keys.filevault import FileVault
from keys.money import Rupiah, Sen, sen_of
from ledger.book import Ledger
from ledger.cardholder.savings import Consent, Progress
from ledger.cardholder.sealing import Sealing, make_keys
from ledger.intake.cards.issued import Card
from ledger.intake.registry import Registry
from ledger.transfer import Kind, Transfer
from settlement.errors import BankSilent
from settlement.partner_bank.books import Kept
from settlement.saving import tables
from settlement.saving.desk import SavingBank, SavingDesk
from settlement.saving.nightly import MirrorNight
from settlement.snap.codes import Service
from tests.empty import new_ledger
from tests.ledger.entries import SetClock
from tests.settlement import banked
from tests.settlement.banked import BANK_CODE, CARD, OURS, SHOP, Banked

if TYPE_CHECKING:
    from pathlib import Path

    from keys.partner import PartnerVault
    from settlement.partner_bank.bank import PartnerBank
    from settlement.snap import calls

KSH: Final = Card(0x04112233445566, next(n for d in range(10) if luhn_ok(n := CARD * 10 + d)), True, 1, b"")
CODE: Final = "code-of-another-saver"
SAVER2: Final = "4000000004"
HELD: Final = sen_of(Rupiah(500_000))
ALL: Final = tuple(Consent)
TODAY: Final = day_of(local(banked.NOON).date())


def rupiah(amount: int) -> Sen:
    return sen_of(Rupiah(amount))


def make_sealing(folder: Path) -> Sealing:
    vault = FileVault.create(folder / "city.vault", "open sesame, but longer", 2**4)
    make_keys(vault)
    return Sealing(vault)


@dataclass
class Saved:
    """The pocket, and everything that it stands on."""

    banked: Banked
    desk: SavingDesk
    night: MirrorNight
    sealing: Sealing

    @classmethod
    def make(cls, folder: Path, vault: PartnerVault, sealing: Sealing) -> Saved:
        url = f"sqlite:///{folder / 'ledger.db'}"
        new_ledger(url, *banked.TABLES, tables.metadata).close()
        clock = SetClock(banked.NOON)
        bank = banked.make_bank(folder / "bank.db", clock, vault)
        with bank.books.session() as session:
            session.open_account(SAVER2, "BUDI S", HELD, CODE)
        ledger = Ledger.open(url, clock)
        Registry(ledger.database, b"").add_cards([KSH])
        ledger.post(
            [
                Transfer(
                    banked.AGENT,
                    banked.WALLET,
                    rupiah(100_000),
                    Kind.DEPOSIT,
                    banked.NOON,
                    ledger.open_window(),
                )
            ]
        )
        return cls.joined(ledger, bank, clock, vault, sealing)

    @classmethod
    def reopened(cls, folder: Path, vault: PartnerVault, sealing: Sealing, at: UnixMs) -> Saved:
        """The same files again, by another process."""
        clock = SetClock(at)
        bank = banked.make_bank(folder / "bank.db", clock, vault)
        return cls.joined(
            Ledger.open(f"sqlite:///{folder / 'ledger.db'}", clock), bank, clock, vault, sealing
        )

    @classmethod
    def joined(
        cls, ledger: Ledger, bank: PartnerBank, clock: SetClock, vault: PartnerVault, sealing: Sealing
    ) -> Saved:
        made = Banked.joined(ledger, bank, clock, vault)
        banks = {"bni": SavingBank(BANK_CODE, "Bank Negara Indonesia", OURS, "   88010")}
        desk = SavingDesk(ledger, {"bni": made.line}, banks, sealing, clock)
        made.desk = desk.payments
        return cls(made, desk, MirrorNight(ledger, desk, clock), sealing)

    def again(self) -> Saved:
        """As after a restart of our process."""
        one = self.banked
        return self.joined(one.ledger, one.bank, one.clock, one.vault, self.sealing)

    def close(self) -> None:
        self.banked.close()

    def saving(self) -> Sen:
        """What the holder's account holds, by the bank's own books."""
        return self.banked.balance(SAVER2)

    def wallet(self) -> int:
        return self.banked.wallet()[0]

    def check(self) -> None:
        """Money in wallet and banks is what the orders that are done say, each moved once."""
        orders = self.desk.orders(KSH)
        done = sum(one.amount for one in orders if one.progress is Progress.DONE)
        assert self.banked.wallet() == (rupiah(100_000) + done, 0)
        assert (self.saving(), self.banked.balance(OURS)) == (HELD - done, banked.OPENED + done)
        assert all(self.banked.moved(one.reference) == (one.progress is Progress.DONE) for one in orders)

    def pass_(self, milliseconds: int) -> None:
        self.banked.clock.at = UnixMs(self.banked.clock.at + milliseconds)


def silence(_call: calls.Call) -> calls.Reply:
    raise BankSilent("nothing comes")


def spent(saved: Saved, reference: str, amount: Sen, status: str = "00") -> None:
    """The account is used somewhere else."""
    with saved.banked.bank.books.session() as session:
        at = saved.banked.clock.now()
        kept = Kept(
            "elsewhere",
            reference,
            Service.INTRABANK,
            amount,
            SAVER2,
            SHOP,
            "belanja",
            at,
            TODAY,
            status,
            f"B{reference}",
        )
        session.move(kept, SAVER2, SHOP)
