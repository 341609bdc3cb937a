"""Running a night over a ledger.

Each step is idempotent and finds what an earlier run left, so that a night may be run again after a crash, or as often as anyone
likes: the same bytes come out and nothing moves (law 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keys.clock import Day, date_of
from ledger.transfer import Result
from settlement import store, windows
from settlement.banks.expected import orders_of
from settlement.errors import EarlierWindowOpen, SettlementError, SettlementRefused
from settlement.fee_book import city_fees
from settlement.matching.running import run_matching
from settlement.night.counters.holes import note_known
from settlement.night.steps import Step
from settlement.night.three_way import KeepReport, compared
from settlement.payments.city import city_rails
from settlement.payments.desk import PaymentDesk
from settlement.payments.files import templates_of
from settlement.payments.reports import TakeReport
from settlement.positions.summing import Summing
from settlement.statements.desk import StatementDesk
from settlement.statements.folder import files_in, incoming
from settlement.statements.inbox import TakeIn
from settlement.statements.schemas import Schemas
from settlement.view import report, view

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger.book import Ledger
    from settlement.fees import FeeTable
    from settlement.night.model import ThreeWay
    from settlement.participants import Participants
    from settlement.payments.rails import RailRules
    from settlement.reconciliation import Reconciliation
    from settlement.statements.kept import KeptFile
    from settlement.view import NightReport

    Told = Callable[[Step], object]


def unheard(step: Step) -> Step:
    """Nobody is told of steps."""
    return step


class Savings(Protocol):
    """What a night asks of the Saving pocket."""

    def bring_on(self) -> None:
        """Ask banks what became of everything that is open."""

    def mirror(self, business_date: Day) -> None:
        """Bring mirror and bank together, and keep what was found."""


class Night:
    """Runs nights over one ledger. Fees are the city's own (`fee_book`) where none are given. Payment files go to `out`, statements are looked for in `inbox` (`out`/inbox by default).

    `before_closing` puts right what the window may still take, such as fares; `schemas` holds the banks' XML schemas; `savings` speaks to
    banks host to host, where there is a line to any.
    """

    def __init__(
        self,
        ledger: Ledger,
        participants: Participants,
        fees: FeeTable | None,
        out: Path,
        *,
        inbox: Path | None = None,
        rules: RailRules | None = None,
        before_closing: Callable[[], object] | None = None,
        schemas: Path | None = None,
        savings: Savings | None = None,
    ) -> None:
        self._ledger = ledger
        self._participants = participants
        self._fees = fees
        self._out = out
        self._inbox = inbox or out / "inbox"
        self._rules = rules
        self._before_closing = before_closing
        self._savings = savings
        self._desk = StatementDesk(ledger.database, participants, schemas)
        self._schemas = Schemas(schemas)
        self.payments = PaymentDesk(ledger.database, out, self._schemas)

    def run(self, business_date: Day, told: Told = unheard, *, whole: bool = False) -> NightReport:
        """The whole night of a business date; `told` hears of each step as it begins. Each step is also there by itself.

        `whole`: the three-way report looks at all that ever was posted.

        Raises EarlierWindowOpen, OutputDiffers, SettlementRefused, and what `positions.summing` and `windows.plan` raise.
        """
        self.settle(business_date, told)
        told(Step.FILES)
        self.write_files(business_date)
        told(Step.STATEMENTS)
        self.import_statements(business_date)
        if self._savings is not None:
            told(Step.MIRROR)
            self.mirror(business_date)
        told(Step.MATCH)
        self.reconcile(business_date)
        told(Step.THREE_WAY)
        self.compare(business_date, whole=whole)
        return self.report(business_date)

    def due(self) -> list[Day]:
        """Business dates that are over and not settled, oldest first: those with movements, and the newest in any case."""
        newest = Day(self._ledger.open_window() - 1)
        with self._ledger.database.transaction() as connection:
            if store.settlement_of(connection, newest) is not None:
                return []
            found = store.unsettled_days(connection, newest)
        return [*(day for day in found if day < newest), newest]

    def last_settled(self) -> Day:
        """The newest settled business date; raises SettlementError where there is none."""
        with self._ledger.database.transaction() as connection:
            days = store.settled_days(connection)
        if not days:
            raise SettlementError("no business date is over yet: a night comes after the cut-off")
        return days[0]

    def settle(self, business_date: Day, told: Told = unheard) -> None:
        """Put fares right, close the window, and post and record its settlement, exactly once."""
        with self._ledger.database.transaction() as connection:
            if store.settlement_of(connection, business_date) is not None:
                return
            earlier = store.unsettled_before(connection, business_date)
        if earlier is not None:
            raise EarlierWindowOpen(
                f"business date {date_of(earlier)} is not settled: run its night before {date_of(business_date)}'s"
            )
        if not self._is_closed(business_date):
            self._put_right(told)
        told(Step.CLOSE)
        window = self._ledger.close_window(business_date)
        told(Step.SETTLE)
        fees = self._fees or city_fees(self._desk.rulebook)
        summing = Summing(self._participants, fees, business_date)
        self._ledger.each_moves(business_date, summing.take)
        templates = templates_of(self._desk.rulebook)
        with self._ledger.database.transaction() as connection:
            orders = orders_of(connection, business_date)
        planned = windows.plan(window, summing.done(), self._participants, self._rails(), templates, orders)
        result: Result = self._ledger.writer.submit(windows.SettleWindow(planned)).result()
        if result is not Result.POSTED:
            raise SettlementRefused(
                f"the ledger refused the entries of {date_of(business_date)} ({result.name}); nothing moved"
            )

    def _put_right(self, told: Told) -> None:
        """What the window may still take: fares, and payments whose banks have not said what became of them."""
        if self._before_closing is not None:
            told(Step.FARES)
            self._before_closing()
        if self._savings is not None:
            told(Step.BANKS)
            self._savings.bring_on()

    def mirror(self, business_date: Day) -> None:
        """Bring the mirror of every linked saving account and its bank together."""
        if self._savings is not None:
            self._savings.mirror(business_date)

    def _rails(self) -> RailRules:
        """The rails and bank days that hold now: the city's own, where none were given."""
        return self._rules or city_rails(self._desk.rulebook)

    def _is_closed(self, business_date: Day) -> bool:
        last = self._ledger.writer.standing.windows.last_closed
        return last is not None and last >= business_date

    def write_files(self, business_date: Day) -> list[Path]:
        """The payment files of a window that were released, each put where its bank fetches it, once; none before that.

        Raises OutputDiffers where the file there is another.
        """
        return self.payments.put_out(business_date)

    def import_statements(self, business_date: Day) -> list[KeptFile]:
        """Take in the files of the inbox, the banks' reports on payments first; the verdicts on statements, in the order of taking."""
        for path in files_in(self._inbox)[1]:
            self._ledger.writer.submit(TakeReport(path, self._schemas)).result()
        return [
            self._ledger.writer.submit(TakeIn(file, self._participants, business_date)).result()
            for file in incoming(self._inbox, self._desk.reader().read)
        ]

    def reconcile(self, business_date: Day) -> Reconciliation:
        """Match everything that is open, of whatever window, and keep what was found."""
        return run_matching(self._ledger, self._rails().calendar, business_date)

    def compare(self, business_date: Day, *, whole: bool = False) -> ThreeWay:
        """Make the three-way report and keep it; the same as before where banks have told nothing new."""
        made = compared(self._ledger, business_date, whole=whole)
        self._ledger.writer.submit(KeepReport(made.report, made.cards.gaps)).result()
        note_known(self._ledger.database, business_date, made.cards)
        return made.report

    def report(self, business_date: Day) -> NightReport:
        """The figures of a settled window's night; raises SettlementError where it is not settled."""
        night = view(self._ledger.database, business_date)
        if night is None:
            raise SettlementError(f"{date_of(business_date)} is not settled: run its night")
        return report(night)
