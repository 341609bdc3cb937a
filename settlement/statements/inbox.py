"""Taking statement files in: a folder of files, each read strictly and kept whole with the verdict on it.

Files are taken in order of their statements' opening dates, so that a folder of several days forms one chain whatever
the files are called. A file that was refused is tried again each time (the statement that it lacked may have come).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from keys.clock import Day, date_of, day_of
from keys.money import Sen, plain
from settlement.errors import StatementDuplicate, StatementGap, StatementRefused
from settlement.statements import store
from settlement.statements.kept import BankLine, KeptFile, KeptStatement, LineKey, Telling, Verdict
from settlement.statements.model import Remark, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.participants import Bank, Participants
    from settlement.statements.folder import Incoming

CURRENCY = "IDR"


@dataclass(slots=True)
class TakeIn:
    """A unit that keeps one file, and adds its statements to the chains of their banks. Answers the verdict."""

    file: Incoming
    participants: Participants
    night: Day
    document: bytes = b""
    _verdict: KeptFile | None = None
    _known: bool = False
    _accepted: list[tuple[KeptStatement, list[BankLine]]] = field(default_factory=list)
    _remarks: list[Remark] = field(default_factory=list)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Decide; moves no money."""
        self.decide(tx.connection)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> KeptFile:
        """Write what was decided; nothing where it is known already."""
        return self.keep(tx.connection)

    def decide(self, connection: Any) -> None:
        """Decide what becomes of the file, by what is known so far."""
        before = store.files_with(connection, self.file.sha256)
        same = next((kept for kept in before if kept.name == self.file.name), None)
        if same is not None and same.verdict is not Verdict.REFUSED:
            self._verdict, self._known = same, True
            return
        try:
            self._decide(before, connection)
            self._verdict = self._kept(Verdict.NOTED if self.file.reading.notices else Verdict.ACCEPTED)
        except StatementRefused as refused:
            self._accepted.clear()
            kind = Verdict.DUPLICATE if isinstance(refused, StatementDuplicate) else Verdict.REFUSED
            self._verdict = self._kept(kind, refused.reason, refused.line)
            if same is not None and (same.verdict, same.reason) == (kind, refused.reason):
                self._verdict, self._known = same, True

    def keep(self, connection: Any) -> KeptFile:
        """Write what was decided, in the same transaction."""
        assert self._verdict is not None  # noqa: S101  it was decided first
        if not self._known:
            store.keep_file(connection, self._verdict, self.file.content)
            for statement, lines in self._accepted:
                store.insert_statement(connection, statement, lines)
        return self._verdict

    def _kept(self, verdict: Verdict, reason: str = "", line: int = 0) -> KeptFile:
        file = self.file
        remarks = (*file.reading.remarks, *self._remarks)
        return KeptFile(
            file.sha256, file.name, self.night, verdict, reason, line, file.size, file.reading.format, remarks
        )

    def _decide(self, before: list[KeptFile], connection: Any) -> None:
        if self.file.refused is not None:
            raise self.file.refused
        if first := next((kept for kept in before if kept.verdict is Verdict.ACCEPTED), None):
            raise StatementDuplicate(f"the same bytes came before, as {first.name}")
        last: dict[int, KeptStatement | None] = {}
        told: dict[int, set[Telling]] = {}
        for number, statement in enumerate(self.file.statements, start=1):
            bank = self._bank(statement)
            if bank.code not in last:
                last[bank.code] = store.last_statement(connection, bank.code)
                told[bank.code] = _told(connection, bank.code, self.file.statements)
            if store.has_statement(connection, bank.code, statement):
                raise StatementDuplicate(
                    f"statement {statement.identifier} of {bank.name} came before, in another file",
                    statement.source_line,
                )
            kept = self._statement(number, statement, bank, last[bank.code])
            last[bank.code] = kept
            self._accepted.append((kept, self._lines(number, statement, bank, told[bank.code])))

    def _bank(self, statement: Statement) -> Bank:
        bank = self.participants.bank_with_account(statement.account)
        if bank is None:
            raise StatementRefused(
                f"account {statement.account} is none of ours: check the participants", statement.source_line
            )
        if statement.currency != CURRENCY:
            raise StatementRefused(
                f"an account in {statement.currency}: ours are in {CURRENCY}", statement.source_line
            )
        return bank

    def _statement(
        self, number: int, statement: Statement, bank: Bank, before: KeptStatement | None
    ) -> KeptStatement:
        if not statement.balanced:
            start = before.closing if before is not None else Sen(0)
            statement = replace(statement, opening=start, closing=Sen(start + statement.closing))
        if before is not None and before.closing != statement.opening:
            raise StatementGap(
                f"opens with {plain(statement.opening)}, but {bank.name}'s statement {before.identifier} closed with"
                f" {plain(before.closing)} on {date_of(before.closing_date):%Y-%m-%d}: ask the bank for the one between",
                statement.source_line,
            )
        self._look_at_number(statement, bank, before)
        return KeptStatement(
            sha256=self.file.sha256,
            number=number,
            bank=bank.code,
            chain=before.chain + 1 if before else 1,
            account=statement.account,
            identifier=statement.identifier,
            opening_date=day_of(statement.opening_date),
            opening=statement.opening,
            closing_date=day_of(statement.closing_date),
            closing=statement.closing,
            lines=len(statement.lines),
            night=self.night,
            sequence=statement.number,
        )

    def _look_at_number(self, statement: Statement, bank: Bank, before: KeptStatement | None) -> None:
        """Note a gap in the bank's own numbers where the balances follow on; numbers begin anew each year."""
        number, last = statement.number, before.sequence if before is not None else None
        if number is None or last is None or number in {last, last + 1, 1}:
            return
        self._remarks.append(
            Remark(
                statement.source_line,
                f"statement number {number} of {bank.name} comes after {last}, though the balances follow on:"
                " ask the bank whether one without movements is missing",
            )
        )

    def _lines(self, number: int, statement: Statement, bank: Bank, told: set[Telling]) -> list[BankLine]:
        lines = []
        for position, line in enumerate(statement.lines, start=1):
            telling = Telling.of(line)
            repeated = telling is not None and telling in told
            if telling is not None:
                told.add(telling)
            lines.append(BankLine(LineKey(self.file.sha256, number, position), bank.code, line, repeated))
        return lines


def _told(connection: Any, bank: int, statements: Sequence[Statement]) -> set[Telling]:
    days = [day_of(line.booking_date) for statement in statements for line in statement.lines]
    return store.told_between(connection, bank, min(days), max(days)) if days else set()
