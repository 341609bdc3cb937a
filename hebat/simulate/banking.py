"""The city's partner banks: they carry out what falls due, make mistakes, write statements, and keep books of their own that ours are counted against."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hebat.demo import banks as demo
from hebat.demo import town
from hebat.demo.day import CHECKER, MAKER
from hebat.demo.partner_banks import OPENING
from hebat.demo.statements import Account, Movement
from hebat.simulate.breach import Breach
from hebat.simulate.faults import Fault
from keys.clock import Day, date_of
from keys.money import Sen
from ledger.chart import Code, split
from settlement.calendar.city import city_calendar
from settlement.errors import MatchRefused, ReleaseRefused
from settlement.matching.desk import MatchingDesk
from settlement.matching.finding import store as finding
from settlement.matching.loading import store as loading
from settlement.rulebook.book import Rulebook
from settlement.store import payment_files_of
from settlement.view import view

if TYPE_CHECKING:
    from random import Random

    from hebat.wiring import City
    from keys.clock import UnixMs
    from settlement.items import Item

_STRAY: Final = Sen(12_345_600)
_SHORT: Final = Sen(10_000)
STAFF: Final = "staff"


class Banks:
    """The banks of one run."""

    def __init__(self) -> None:
        self._known: set[Day] = set()
        self._due: list[Item] = []
        self._balance = dict.fromkeys(town.PARTICIPANTS.banks, OPENING)
        self._mistaken: Counter[int] = Counter()
        self._sequence: Counter[int] = Counter()
        self._told: defaultdict[int, list[Movement]] = defaultdict(list)
        self._last: dict[int, Day] = {}
        self.lines = 0
        """Lines of all statements so far."""

    def carry_out(self, city: City, settled: list[Day], day: Day, fault: Fault | None, dice: Random) -> bool:
        """What falls due up to a day, onto the banks' books and their statements, each window once; whether the fault struck."""
        for one in settled:
            if one not in self._known:
                self._known.add(one)
                night = view(city.ledger.database, one)
                self._due += night.items if night is not None else ()
        due = [item for item in self._due if item.due <= day]
        self._due = [item for item in self._due if item.due > day]
        for code in town.PARTICIPANTS.banks:
            self._told[code] += demo.movements_of([item for item in due if item.bank == code])
        some = [code for code, told in self._told.items() if told]
        if some:
            self._mistake(dice.choice(some), fault, dice)
        for code, told in list(self._told.items()):
            if told and self._last.get(code, Day(0)) < day and fault is not Fault.STATEMENT_LATE:
                self._write(city, code, day, twice=fault is Fault.STATEMENT_TWICE)
        return bool(some)

    def _mistake(self, code: int, fault: Fault | None, dice: Random) -> None:
        told = self._told[code]
        at = dice.randrange(len(told))
        one = told[at]
        if fault is Fault.BANK_LOST_PAYMENT:
            del told[at]
            self._mistaken[code] -= one.amount
        elif fault is Fault.BANK_PAID_TWICE:
            told.append(one)
            self._mistaken[code] += one.amount
        elif fault is Fault.BANK_PAID_LESS:
            told[at] = replace(one, amount=Sen(one.amount - _SHORT))
            self._mistaken[code] -= _SHORT
        elif fault is Fault.BANK_STRAY_LINE:
            told.append(Movement(_STRAY, "", "SETORAN TUNAI", f"STRAY{at}"))
            self._mistaken[code] += _STRAY

    def _write(self, city: City, code: int, day: Day, *, twice: bool) -> None:
        movements = self._told.pop(code)
        self._told[code] = []
        self._sequence[code] += 1
        bank = town.PARTICIPANTS.banks[code]
        account = Account(
            f"{code:04d}",
            bank.account,
            date_of(day),
            self._sequence[code],
            Sen(self._balance[code]),
            movements,
        )
        path = demo.write(city.folder.bank_out / "inbox", account, code)
        if twice:
            (path.parent / f"copy-{path.name}").write_bytes(path.read_bytes())
        self._balance[code] = account.closing
        self._last[code] = day
        self.lines += len(movements)

    def clear(self, city: City) -> None:
        """The statements that were taken in are moved away."""
        for path in (city.folder.bank_out / "inbox").glob("*"):
            if path.is_file():
                path.unlink()

    def count(self, city: City) -> None:
        """Our account at each bank is what the bank says, but for its mistakes and for what it has not been asked for yet; raises Breach."""
        ours: Counter[int] = Counter()
        for account, held in city.ledger.balances().items():
            named = split(account)
            if named.code in {Code.BANK_SETTLEMENT, Code.SUSPENSE}:
                ours[named.number] += held.debits_posted - held.credits_posted
        waiting: Counter[int] = Counter()
        for item in self._due:
            waiting[item.bank] += item.amount
        for code in town.PARTICIPANTS.banks:
            untold = sum(one.amount for one in self._told[code])
            theirs = self._balance[code] - OPENING + untold + waiting[code] - self._mistaken[code]
            if theirs != ours[code]:
                raise Breach(7, f"bank {code:04d} holds {theirs} sen of ours, and our books say {ours[code]}")

    def look(self, city: City) -> None:
        """Each item and each line of a statement stands in one match at most, and in one place; raises Breach."""
        if not self._known:
            return
        first, last = Day(min(self._known) - 1), Day(max(self._known) + 30)
        with city.ledger.database.transaction() as connection:
            items, lines = loading.all_between(connection, first, last)
            kept = [one for one in finding.matches_touching(connection, first, last) if one.holds]
        members = Counter(member for one in kept for member in (*one.items, *one.lines))
        twice = [member for member, count in members.items() if count > 1]
        if twice:
            raise Breach(3, f"{twice[0]} stands in {members[twice[0]]} matches")
        amounts = dict(zip(items["reference"].to_list(), items["amount"].to_list(), strict=True))
        told = {
            key: amount
            for *key_, amount in lines.select("sha256", "statement", "number", "amount").iter_rows()
            for key in [tuple(key_)]
        }
        if len(told) != self.lines:
            raise Breach(6, f"the banks told {self.lines} lines, and {len(told)} were taken in")
        for one in kept:
            shown = sum(told[line.sha256, line.statement, line.number] for line in one.lines)
            if shown - sum(amounts[name] for name in one.items) != one.difference:
                raise Breach(
                    7, f"match {one.number} says that it leaves {one.difference} sen, and leaves another sum"
                )


def release_payments(city: City, day: Day, at: UnixMs) -> None:
    """Four eyes over each payment file of a business date; those that went out before a crash have gone out. Raises ReleaseRefused."""
    with city.ledger.database.transaction() as connection:
        files = payment_files_of(connection, day)
    for file in files:
        with suppress(ReleaseRefused):  # it is on its way; one that nobody made is refused below
            city.night.payments.make(day, file.bank, by=MAKER, at=at)
        city.night.payments.release(day, file.bank, by=CHECKER, at=at)


def undo(city: City, dice: Random) -> bool:
    """Somebody undoes one of the newest matches; whether there was one to undo."""
    desk = MatchingDesk(city.ledger, city_calendar(Rulebook(city.ledger.database)), city.clock)
    held = desk.matches(limit=20)
    if not held:
        return False
    try:
        desk.undo(dice.choice(held).number, STAFF, "it belongs elsewhere")
    except MatchRefused:
        return False
    return True
