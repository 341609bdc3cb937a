"""The two banks of the demo, host to host: their folders, their processes while the day lasts, and what their own books say."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hebat.bank_commands import lines
from hebat.bank_commands.simulated import BankFolder
from hebat.demo.plan import BNI, MANDIRI
from hebat.errors import HebatError
from keys.filevault import write_atomically
from keys.money import Rupiah, Sen, sen_of
from settlement.partner_bank.books import CLEARING, Kept
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from hebat.demo.statements import Movement
    from hebat.folder import Folder
    from hebat.story_clock import StoryClock
    from keys.clock import Day
    from settlement.participants import Participants

BANKS: Final = {"bni": BNI, "mandiri": MANDIRI}
SAVERS_MAX: Final = 8
"""Holders at each bank who link an account."""
OPENING: Final = sen_of(Rupiah(250_000_000))
"""What our account at each bank holds in the morning."""
_SAVED: Final = sen_of(Rupiah(1_500_000))
_HOURS: Final = "5-21"
_FAULTS: Final = "lost-after=0.2,500-after=0.1"


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
            "--hours", _HOURS, "--faults", _FAULTS, "--seed", str(seed), "--parent", str(os.getpid()),
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
                held = [session.account(saver(number)) for number in range(SAVERS_MAX)]
                opened = Sen(OPENING + SAVERS_MAX * _SAVED)
                savers = Sen(sum(one.balance for one in held if one))
                found.append(Side(code, opened, session.total(), ours.balance if ours else Sen(0), savers))
        return found


def saver(number: int) -> str:
    """The number of a saver's account, at either bank."""
    return f"{7_000_000_001 + number}"


def _accounts(ours: str) -> str:
    rows = [f"{ours},KARTU SEMARANG HEBAT,{OPENING // 100},"]
    rows += [f"{saver(one)},NASABAH {one + 1},{_SAVED // 100},code-{saver(one)}" for one in range(SAVERS_MAX)]
    return "number,name,rupiah,consent\n" + "\n".join(rows) + "\n"
