"""A city's lines to banks and the Saving pocket over them, opened with the city where it has any bank at all."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Self

from hebat.bank_commands.lines import lines, partners
from hebat.vaults import ledger_vault
from ledger.cardholder.sealing import Sealing
from settlement.banks.asking import FIRST_MS, Asking
from settlement.banks.notices import Notices, Teller
from settlement.saving.desk import SavingBank, SavingDesk
from settlement.saving.links import PREFIX
from settlement.saving.nightly import MirrorNight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hebat.bank_commands.lines import Partner
    from hebat.folder import Folder
    from keys.clock import Clock
    from ledger.book import Ledger
    from settlement.banks.line import BankLine
    from settlement.banks.payment import Payment
    from settlement.saving.links import Links


class Banking:
    """Lines, orders, savings and notices of one city. Closing it gives the connections back."""

    def __init__(
        self,
        ledger: Ledger,
        known: Mapping[str, Partner],
        opened: Mapping[str, BankLine],
        sealing: Sealing,
        clock: Clock,
    ) -> None:
        banks = {
            name: SavingBank(one.code, one.title or name.upper(), one.account, one.service_id)
            for name, one in known.items()
        }
        self.savings = SavingDesk(ledger, opened, banks, sealing, clock)
        self.night = MirrorNight(ledger, self.savings, clock)
        self.notices = Notices(
            ledger, {name: self._teller(one) for name, one in known.items() if one.public_key}, clock
        )
        self._stack = ExitStack()
        self._clock = clock

    @classmethod
    def open(
        cls, folder: Folder, ledger: Ledger, sealing: Sealing, clock: Clock, answer_seconds: float = 30
    ) -> Self | None:
        """Everything over the lines of a folder; None where it has no line. Raises InputRefused, KeysError."""
        known = partners(folder)
        if not known:
            return None
        with ExitStack() as stack:
            opened = stack.enter_context(lines(folder, clock, answer_seconds))
            made = cls(ledger, known, opened, sealing, clock)
            made._stack = stack.pop_all()
        return made

    def asking(self, first_ms: int = FIRST_MS) -> Asking:
        """What asks after open orders and links while its context lasts."""
        return Asking(self.savings.payments, self._clock, self.savings.links.resume, first_ms)

    def close(self) -> None:
        """Give the connections back."""
        self._stack.close()

    def _teller(self, partner: Partner) -> Teller:
        return Teller(
            partner.name, partner.public_key, partner.partner_id, partial(self.savings.accounts, partner.name)
        )


@contextmanager
def consents(
    folder: Folder, ledger: Ledger, opened: Mapping[str, BankLine], clock: Clock
) -> Iterator[Callable[[Payment], Payment]]:
    """Opens what is sealed in payments, for a desk without the rest of a city.

    The city's vault is opened with the first order of a Saving pocket, and not for payments that need none; that raises InputRefused, KeysError.
    """
    with ExitStack() as stack:

        @cache
        def links() -> Links:
            vault = ledger_vault(folder)
            stack.callback(vault.close)
            return SavingDesk(ledger, opened, {}, Sealing(vault), clock).links

        yield lambda payment: links().opened(payment) if payment.reference.startswith(PREFIX) else payment
