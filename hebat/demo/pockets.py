"""The demo's other two pockets: wallets, and saving accounts at two banks that are processes of their own, host to host.

In the morning some holders link an account and top their wallets up; at noon wallets pay, and some holders order a load, which the next bus that their
card is held to writes onto the chip, others let loads order themselves below a threshold; in the evening money goes back. A bank loses answers, has working hours, and is told the story's time by a file.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from hebat.bank_commands import lines
from hebat.bank_commands.simulated import BankFolder
from hebat.demo.plan import BNI, MANDIRI
from hebat.errors import HebatError
from hebat.story_clock import FileClock
from keys.filevault import write_atomically
from keys.money import Rupiah, Sen, sen_of
from ledger.cardholder.savings import Consent
from ledger.errors import SavingRefused, WalletRefused
from ledger.qris.classes import MerchantClass
from ledger.qris.merchant import Additional
from ledger.qris.writing import Acquirer, Merchant, static_code
from ledger.wallets.desk import WalletDesk
from ledger.wallets.loads import store
from ledger.wallets.qr import OUR_DOMAIN
from settlement.partner_bank.books import CLEARING, Kept
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from hebat.demo.statements import Movement
    from hebat.folder import Folder
    from hebat.issuing import Issued
    from hebat.story_clock import StoryClock
    from hebat.wiring import City
    from keys.clock import Day
    from ledger.intake.registry import Card
    from ledger.wallets.loads.store import Fate
    from settlement.participants import Participants
    from settlement.saving.desk import SavingDesk

BANKS: Final = {"bni": BNI, "mandiri": MANDIRI}
SAVERS_MAX: Final = 8
"""Holders at each bank who link an account."""
OPENING: Final = sen_of(Rupiah(250_000_000))
"""What our account at each bank holds in the morning."""
_SAVED: Final = sen_of(Rupiah(1_500_000))
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
_HOURS: Final = "5-21"
_FAULTS: Final = "lost-after=0.2,500-after=0.1"
_MERCHANT: Final = 502


@dataclass(frozen=True, slots=True)
class Side:
    """A bank's own word at the day's end, in sen: all its accounts, ours, and the savers'; `opened` is what all held in the morning."""

    code: int
    opened: Sen
    total: Sen
    ours: Sen
    savers: Sen


class PartnerBanks:
    """The two banks: their folders, and their processes while the demo lasts."""

    def __init__(self, folder: Folder, participants: Participants, clock: StoryClock) -> None:
        self.clock_file = folder.root / "partners" / "clock"
        self._clock = clock
        self._participants = participants
        self._root = folder.root / "partners"
        self._root.mkdir(mode=0o700)
        self.folders = {name: BankFolder(self._root / name) for name in BANKS}

    def start(self, stack: ExitStack, folder: Folder, seed: int) -> None:
        """Make their books, start them, and add a line to each; raises HebatError where one does not start."""
        self.tell_time()
        for name, code in BANKS.items():
            place, account = self.folders[name], self._participants.bank(code).account
            place.root.mkdir()
            place.accounts.write_text(_accounts(account), encoding="utf-8")
            place.make()
            partner = lines.Partner(
                name, code, "standard", "http://127.0.0.1:1", "ksh-client", "KSH", account, title=self._participants.bank(code).name,
                service_id=f"{88000 + code:>8}", public_key=place.public_key.read_text(encoding="utf-8"),
            )  # fmt: skip
            key = place.root / "ksh.pem"
            key.write_text(lines.add(folder, partner, place.secret.read_bytes()), encoding="utf-8")
            lines.move(folder, name, self._started(stack, place, key, seed))

    def _started(self, stack: ExitStack, place: BankFolder, key: Path, seed: int) -> str:
        command = [
            sys.executable, "-m", "hebat.cli", "bank", "simulate", str(place.root), "--key", str(key), "--clock", str(self.clock_file),
            "--hours", _HOURS, "--faults", _FAULTS, "--seed", str(seed),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  this program itself
        stack.enter_context(process)
        stack.callback(process.kill)
        assert process.stdout is not None  # noqa: S101  it was asked for
        address = process.stdout.readline().split(" ")[0].strip()
        if not address.startswith("http"):
            raise HebatError("a partner bank of the demo did not start; look at what it says above")
        return address

    def tell_time(self) -> None:
        """The banks' clocks stand where the story's stands."""
        write_atomically(self.clock_file, str(self._clock.now()).encode())

    def book(self, code: int, day: Day, movements: Sequence[Movement]) -> None:
        """A bank carries out, or takes in, what a window settled: between our account and the other banks."""
        name = next(one for one, number in BANKS.items() if number == code)
        account = self._participants.bank(code).account
        with closing(self.folders[name].books()) as books, books.session() as session:
            for one in movements:
                kept = Kept(
                    "files", one.reference, Service.INTERBANK, Sen(abs(one.amount)), account, CLEARING, one.text, self._clock.now(),
                    day, "00", one.bank_reference,
                )  # fmt: skip
                session.move(kept, *((account, CLEARING) if one.amount < 0 else (CLEARING, account)))

    def told(self, code: int, first: Day, last: Day) -> list[tuple[Sen, str, str, str]]:
        """What a bank booked on our account, in order: sen, reference, text, its own reference."""
        name = next(one for one, number in BANKS.items() if number == code)
        account = self._participants.bank(code).account
        with closing(self.folders[name].books()) as books, books.session() as session:
            return [
                (one.amount, one.reference, one.text, one.bank_reference)
                for one in session.entries(account, first, last)
            ]

    def sides(self) -> list[Side]:
        """What the banks' own books say."""
        found = []
        for name, code in BANKS.items():
            with closing(self.folders[name].books()) as books, books.session() as session:
                ours = session.account(self._participants.bank(code).account)
                held = [session.account(_saver(number)) for number in range(SAVERS_MAX)]
                opened = Sen(OPENING + SAVERS_MAX * _SAVED)
                savers = Sen(sum(one.balance for one in held if one))
                found.append(Side(code, opened, session.total(), ours.balance if ours else Sen(0), savers))
        return found


def _saver(number: int) -> str:
    return f"{7_000_000_001 + number}"


def _accounts(ours: str) -> str:
    rows = [f"{ours},KARTU SEMARANG HEBAT,{OPENING // 100},"]
    rows += [
        f"{_saver(one)},NASABAH {one + 1},{_SAVED // 100},code-{_saver(one)}" for one in range(SAVERS_MAX)
    ]
    return "number,name,rupiah,consent\n" + "\n".join(rows) + "\n"


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
            self._savings.link(card, name, f"code-{_saver(taken[name])}", tuple(Consent))
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
            ("VA-DEMO-1", number, _saver(SAVERS_MAX - 1), account, _PAID_IN),
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
