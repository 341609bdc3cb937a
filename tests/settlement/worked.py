"""A night with statements that leave something to do, and the desks to do it at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hebat.demo.statements import Account, Movement, camt053
from keys.clock import Day
from keys.money import Sen
from settlement.breaks.desk import BreaksDesk
from settlement.breaks.filters import Filters
from settlement.matching.days import Weekdays
from settlement.matching.desk import MatchingDesk
from settlement.view import view
from tests.settlement.town import BNI, DATE, DAY, JATENG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.model import Reason
    from settlement.breaks.suspense.kept import Sums
    from settlement.items import Item
    from settlement.statements.kept import BankLine
    from tests.settlement.town import Stage

STRAY = Movement(Sen(125_000_00), "", "SETORAN TUNAI", "STRAY1")


@dataclass(slots=True)
class Worked:
    """A stage, its desks, and what its statements say."""

    stage: Stage
    matching: MatchingDesk
    breaks: BreaksDesk

    @classmethod
    def on(cls, stage: Stage) -> Worked:
        """The window of DAY settled, nothing on statements yet."""
        stage.night.run(DAY)
        calendar = Weekdays()
        return cls(
            stage, MatchingDesk(stage.ledger, calendar, stage.clock), BreaksDesk(stage.ledger, calendar)
        )

    def items(self, bank: int) -> list[Item]:
        night = view(self.stage.ledger.database, DAY)
        assert night is not None
        return [one for one in night.items if one.bank == bank]

    def lines(self) -> list[BankLine]:
        night = view(self.stage.ledger.database, DAY)
        assert night is not None
        return list(night.lines)

    def take(self, movements: Sequence[Movement], bank: int = BNI, opening: int = 0, days: int = 0) -> None:
        """A statement of a bank comes in, and everything is matched."""
        self.bring(movements, bank, opening, days)
        self.run()

    def bring(self, movements: Sequence[Movement], bank: int = BNI, opening: int = 0, days: int = 0) -> None:
        """A statement of a bank comes in."""
        account = self.stage.participants.bank(bank).account
        told = Account(f"{bank:04d}", account, DATE + timedelta(days=days), days + 1, Sen(opening), movements)
        self.stage.put(f"{bank}-{days}.xml", camt053(told, "08"))
        self.stage.night.import_statements(DAY)

    def run(self) -> None:
        self.matching.run(DAY)

    def told(self, one: Item, amount: int = 0, text: str = "") -> Movement:
        return Movement(Sen(amount or one.amount), one.told, text or one.name, f"B{one.reference[-9:]}")

    def open(self, reason: Reason | None = None) -> list[KeptBreak]:
        found = self.breaks.page(Filters())
        return [one for one in found if reason is None or one.reason is reason]

    def sums(self) -> Sums:
        """Where all lines stand; they add up, whatever was done."""
        found = self.breaks.sums()
        assert found.adds_up, found
        return found


BANKS = (BNI, JATENG)
TODAY = Day(DAY + 1)
