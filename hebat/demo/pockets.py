"""The demo's other two pockets: wallets, and saving accounts at two banks that are processes of their own, host to host.

In the morning some holders link an account and top their wallets up; at noon wallets pay, and some holders order a load, which the next bus that their
card is held to writes onto the chip, others let loads order themselves below a threshold; in the evening money goes back. A bank loses answers, has working hours, and is told the story's time by a file.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from hebat.demo.partner_banks import BANKS, SAVERS_MAX, saver
from hebat.story_clock import FileClock
from keys.money import Rupiah, Sen, sen_of
from ledger.cardholder.savings import Consent
from ledger.errors import SavingRefused, WalletRefused
from ledger.qris.classes import MerchantClass
from ledger.qris.merchant import Additional
from ledger.qris.writing import Acquirer, Merchant, static_code
from ledger.wallets.desk import WalletDesk
from ledger.wallets.loads import store
from ledger.wallets.qr import OUR_DOMAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hebat.demo.partner_banks import PartnerBanks
    from hebat.issuing import Issued
    from hebat.story_clock import StoryClock
    from hebat.wiring import City
    from ledger.intake.cards.issued import Card
    from ledger.wallets.loads.store import Fate
    from settlement.saving.desk import SavingDesk

_TOP_UP, _SWEEP, _SENT, _BOUGHT, _PAID_IN = (
    sen_of(Rupiah(one)) for one in (100_000, 20_000, 5_000, 15_000, 40_000)
)
_LOADED: Final = Rupiah(20_000)
LOADS: Final = 6
"""Holders who order a load from their wallet; one whose wallet is short orders none."""
LOADS_MAX: Final = 9
"""Loads of one card that the report looks at: more than a day may have."""
STANDING: Final = 6
"""Holders whose wallet loads their card by itself, whenever it holds less than `_BELOW`, `_DAILY` a day at most."""
_BELOW, _DAILY = Rupiah(30_000), Rupiah(40_000)
_MERCHANT: Final = 502


class Pockets:
    """What holders do with wallets and savings on the day."""

    def __init__(
        self, city: City, banks: PartnerBanks, issued: Sequence[Issued], clock: StoryClock, address: str
    ) -> None:
        assert city.banking is not None  # noqa: S101  its lines were added before it was opened
        self._savings: SavingDesk = city.banking.savings
        self._wallets = WalletDesk(city.ledger, clock)
        self._orders = city.ordered
        self._ledger = city.ledger
        self._banks = banks
        self._address = address
        self._clock = clock
        registered = [
            known for one in issued if (known := city.registry.card(one.uid)) is not None and known.registered
        ]
        self.savers = [
            (name, card) for place, name in enumerate(BANKS) for card in registered[place : 2 * SAVERS_MAX : len(BANKS)]
        ]  # fmt: skip
        self.unknown = 0

    def acts(self) -> list[tuple[time, Callable[[], None]]]:
        """What happens when, in order."""
        return [
            (time(6), self._morning), (time(12), self._noon), (time(13), self._paid_in), (time(14), self._ordered), (time(18), self._asked),
            (time(19), self._evening), (time(19, 30), self._asked), (time(21, 30), self._late),
        ]  # fmt: skip

    def _morning(self) -> None:
        self._banks.tell_time()
        taken = dict.fromkeys(BANKS, 0)
        for name, card in self.savers:
            self._wallets.open(str(card.card_number))
            self._savings.link(card, name, f"code-{saver(taken[name])}", tuple(Consent))
            taken[name] += 1
            self._move(card, _TOP_UP, "pagi")

    def _noon(self) -> None:
        code = static_code(Merchant(
            (Acquirer(OUR_DOMAIN, f"93600999{_MERCHANT:010}", str(_MERCHANT), MerchantClass.UKE),), "ID1020304050607", "5499",
            "Toko Pandanaran", "Semarang", "50137", {Additional.TERMINAL: "K1"},
        )).text()  # fmt: skip
        cards = [card for _, card in self.savers]
        for card, other in pairwise(cards):
            with suppress(WalletRefused):  # its top-up waits for the bank's word
                self._wallets.send(
                    f"DEMO-{card.card_number}", str(card.card_number), str(other.card_number), _SENT
                )
                self._wallets.pay_by_qr(str(card.card_number), code, _BOUGHT)

    def _ordered(self) -> None:
        """Holders order loads from their wallets, once or once and for all; whichever bus meets the card next writes them."""
        for _, card in self.savers[::2][:LOADS]:
            with suppress(WalletRefused):
                self._orders.order(card, _LOADED)
        for _, card in self.savers[1::2][:STANDING]:
            self._orders.stand(card, _BELOW, _LOADED, _DAILY)

    def loads(self) -> Counter[tuple[Fate, bool]]:
        """What became of the loads that were ordered, and whether a standing order made them."""
        with self._ledger.database.transaction() as connection:
            found = [
                store.loads_of(connection, card.partition, card.uid, LOADS_MAX) for _, card in self.savers
            ]
        return Counter((one.fate, one.automatic) for loads in found for one in loads)

    def _paid_in(self) -> None:
        """Somebody pays into a virtual account, and the bank tells us."""
        self._banks.tell_time()
        name, card = self.savers[0]
        number = self._savings.number(card, name)
        place, account = self._banks.folders[name], self._savings.account_at(name)
        place.pay_into(
            ("VA-DEMO-1", number, saver(SAVERS_MAX - 1), account, _PAID_IN),
            f"{self._address}/banks/{name}",
            "KSH",
            FileClock(self._banks.clock_file),
        )

    def _asked(self) -> None:
        self._banks.tell_time()
        self.unknown += sum(one.state.value == "unknown" for one in self._savings.payments.open_payments())
        self._savings.resume()

    def _evening(self) -> None:
        self._banks.tell_time()
        for _, card in self.savers:
            self._move(card, Sen(-_SWEEP), "sore")

    def _late(self) -> None:
        """After the bank's hours: the order waits, and its money with it. What buses wrote of ordered loads is noted."""
        self._orders.sweep()
        self._banks.tell_time()
        self._move(self.savers[-1][1], Sen(-_SENT), "malam")

    def _move(self, card: Card, amount: Sen, key: str) -> None:
        with suppress(SavingRefused):  # the wallet is short: its top-up is not known yet
            self._savings.move(card, 1, amount, key)
