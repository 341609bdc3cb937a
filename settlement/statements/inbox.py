"""Taking statement files in: a folder of files, each read strictly and kept whole with the verdict on it.

Files are taken in order of their statements' opening dates, so that a folder of several days forms one chain whatever
the files are called. A file that was refused is tried again each time (the statement that it lacked may have come).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from keys.clock import Day, date_of, day_of
from keys.money import plain
from settlement.errors import StatementDuplicate, StatementGap, StatementRefused, StatementTooLarge
from settlement.statements import store
from settlement.statements.kept import BankLine, KeptFile, KeptStatement, LineKey, Telling, Verdict
from settlement.statements.model import FILE_BYTES_MAX, Statement
from settlement.statements.reading import digest, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.participants import Bank, Participants

FILES_MAX = 1_000
CURRENCY = "IDR"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file as it came: its statements, or why it was refused."""

    name: str
    sha256: str
    size: int
    content: bytes
    statements: tuple[Statement, ...] = ()
    refused: StatementRefused | None = None

    @property
    def order(self) -> tuple[date, date, str]:
        """By opening date; refused files last."""
        if not self.statements:
            return date.max, date.max, self.name
        first = self.statements[0]
        return first.opening_date, first.closing_date, self.name


def incoming(folder: Path, reader: Callable[[bytes], tuple[Statement, ...]] = read) -> list[Incoming]:
    """The files of a folder in the order to take them in; none where there is no such folder.

    Hidden files and folders are left alone. Raises StatementTooLarge over `FILES_MAX` files.
    """
    if not folder.is_dir():
        return []
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    if len(paths) > FILES_MAX:
        raise StatementTooLarge(
            f"{folder.name} holds {len(paths)} files: {FILES_MAX} are allowed; move old ones away"
        )
    return sorted((_incoming(path, reader) for path in paths), key=lambda file: file.order)


def _incoming(path: Path, reader: Callable[[bytes], tuple[Statement, ...]]) -> Incoming:
    size = path.stat().st_size
    name = os.fsencode(path.name).decode("utf-8", "replace")  # a file system takes bytes that no text has
    if size > FILE_BYTES_MAX:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        reason = StatementTooLarge(
            f"the file has {size} bytes: {FILE_BYTES_MAX} are allowed; it stays in its folder"
        )
        return Incoming(name, sha256, size, b"", refused=reason)
    content = path.read_bytes()
    try:
        return Incoming(name, digest(content), size, content, reader(content))
    except StatementRefused as refused:
        return Incoming(name, digest(content), size, content, refused=refused)


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

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Decide; moves no money."""
        before = store.files_with(tx.connection, self.file.sha256)
        same = next((kept for kept in before if kept.name == self.file.name), None)
        if same is not None and same.verdict is not Verdict.REFUSED:
            self._verdict, self._known = same, True
            return ()
        try:
            self._decide(before, tx.connection)
            self._verdict = self._kept(Verdict.ACCEPTED)
        except StatementRefused as refused:
            self._accepted.clear()
            kind = Verdict.DUPLICATE if isinstance(refused, StatementDuplicate) else Verdict.REFUSED
            self._verdict = self._kept(kind, refused.reason, refused.line)
            if same is not None and (same.verdict, same.reason) == (kind, refused.reason):
                self._verdict, self._known = same, True
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> KeptFile:
        """Write what was decided; nothing where it is known already."""
        assert self._verdict is not None  # noqa: S101  plan came first
        if not self._known:
            store.keep_file(tx.connection, self._verdict, self.file.content)
            for statement, lines in self._accepted:
                store.insert_statement(tx.connection, statement, lines)
        return self._verdict

    def _kept(self, verdict: Verdict, reason: str = "", line: int = 0) -> KeptFile:
        return KeptFile(self.file.sha256, self.file.name, self.night, verdict, reason, line, self.file.size)

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
        if before is not None and before.closing != statement.opening:
            raise StatementGap(
                f"opens with {plain(statement.opening)}, but {bank.name}'s statement {before.identifier} closed with"
                f" {plain(before.closing)} on {date_of(before.closing_date):%Y-%m-%d}: ask the bank for the one between",
                statement.source_line,
            )
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
