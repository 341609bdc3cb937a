"""Statement files, statements and lines in the database; every file is kept whole, the refused ones too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, date_of, day_of
from keys.money import Sen
from settlement.statements.kept import BankLine, KeptFile, KeptStatement, LineKey, Telling, Verdict
from settlement.statements.model import Line, Remark
from settlement.tables import WHOLE, lines, statement_files, statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.statements.model import Statement

_ROWS_A_TIME = 10_000
_KEPT = [column for column in statement_files.c if column.name != "content"]


def keep_file(connection: sa.Connection, file: KeptFile, content: bytes) -> None:
    """Keep a file with its verdict, in place of an earlier verdict on the same bytes under the same name."""
    table = statement_files
    same = (table.c.partition == WHOLE, table.c.sha256 == file.sha256, table.c.name == file.name)
    connection.execute(sa.delete(table).where(*same))
    values = {
        "sha256": file.sha256,
        "name": file.name,
        "night": file.night,
        "verdict": file.verdict.value,
        "reason": file.reason,
        "line": file.line,
        "bytes": file.bytes,
        "format": file.format,
        "remarks": json.dumps([[remark.line, remark.text] for remark in file.remarks]),
    }
    connection.execute(sa.insert(table), {"partition": WHOLE, "content": content, **values})


def files_with(connection: sa.Connection, sha256: str) -> list[KeptFile]:
    """What became of the files with a digest, under all their names."""
    query = sa.select(*_KEPT).where(statement_files.c.partition == WHOLE, statement_files.c.sha256 == sha256)
    return [_file(row) for row in connection.execute(query.order_by(statement_files.c.name))]


def files_of(connection: sa.Connection, night: Day) -> list[KeptFile]:
    """The files that a night took in or refused, by name."""
    query = sa.select(*_KEPT).where(statement_files.c.partition == WHOLE, statement_files.c.night == night)
    return [_file(row) for row in connection.execute(query.order_by(statement_files.c.name))]


def content_of(connection: sa.Connection, sha256: str) -> bytes | None:
    """The bytes with a digest; None where no such file came."""
    query = sa.select(statement_files.c.content).where(
        statement_files.c.partition == WHOLE, statement_files.c.sha256 == sha256
    )
    return connection.execute(query.limit(1)).scalar()


def _file(row: Any) -> KeptFile:
    remarks = tuple(Remark(line, text) for line, text in json.loads(row.remarks))
    return KeptFile(
        row.sha256, row.name, Day(row.night), Verdict(row.verdict), row.reason, row.line, row.bytes,
        row.format, remarks,
    )  # fmt: skip


def all_files(connection: sa.Connection, limit: int) -> list[KeptFile]:
    """The files that came last, newest night first, then by name."""
    query = sa.select(*_KEPT).where(statement_files.c.partition == WHOLE)
    ordered = query.order_by(statement_files.c.night.desc(), statement_files.c.name).limit(limit)
    return [_file(row) for row in connection.execute(ordered)]


def digests_like(connection: sa.Connection, beginning: str) -> list[str]:
    """The digests of kept files that begin with a text; two at most, since one is wanted."""
    query = sa.select(statement_files.c.sha256).distinct()
    found = query.where(
        statement_files.c.partition == WHOLE, statement_files.c.sha256.startswith(beginning, autoescape=True)
    )
    return list(connection.execute(found.limit(2)).scalars())


def statements_in(connection: sa.Connection, sha256: str) -> list[KeptStatement]:
    """The accepted statements of a file, in their order."""
    query = sa.select(statements).where(statements.c.partition == WHOLE, statements.c.sha256 == sha256)
    return [_statement(row) for row in connection.execute(query.order_by(statements.c.number))]


def lines_in(connection: sa.Connection, sha256: str, limit: int) -> list[BankLine]:
    """The first lines of a file's statements."""
    query = sa.select(lines).where(lines.c.partition == WHOLE, lines.c.sha256 == sha256)
    ordered = query.order_by(lines.c.statement, lines.c.number).limit(limit)
    return [line_of_row(row) for row in connection.execute(ordered)]


def last_statement(connection: sa.Connection, bank: int) -> KeptStatement | None:
    """The newest statement in a bank's chain."""
    query = sa.select(statements).where(statements.c.partition == WHOLE, statements.c.bank == bank)
    row = connection.execute(query.order_by(statements.c.chain.desc()).limit(1)).first()
    return _statement(row) if row is not None else None


def statements_of(connection: sa.Connection, night: Day) -> list[KeptStatement]:
    """The statements that a night accepted, by bank and chain."""
    query = sa.select(statements).where(statements.c.partition == WHOLE, statements.c.night == night)
    return [
        _statement(row) for row in connection.execute(query.order_by(statements.c.bank, statements.c.chain))
    ]


def _statement(row: Any) -> KeptStatement:
    return KeptStatement(
        row.sha256, row.number, row.bank, row.chain, row.account, row.identifier, Day(row.opening_date),
        Sen(row.opening), Day(row.closing_date), Sen(row.closing), row.lines, Day(row.night), row.sequence,
    )  # fmt: skip


def has_statement(connection: sa.Connection, bank: int, statement: Statement) -> bool:
    """Whether a bank's statement with this identifier and closing date is in the chain already."""
    query = sa.select(statements.c.number).where(
        statements.c.partition == WHOLE,
        statements.c.bank == bank,
        statements.c.identifier == statement.identifier,
        statements.c.closing_date == day_of(statement.closing_date),
    )
    return connection.execute(query.limit(1)).first() is not None


def told_between(connection: sa.Connection, bank: int, first: Day, last: Day) -> set[Telling]:
    """What tells the lines apart that a bank has told for booking dates `first` to `last`."""
    columns = (
        lines.c.booking_date,
        lines.c.amount,
        lines.c.bank_reference,
        lines.c.end_to_end,
        lines.c.reference,
    )
    query = sa.select(*columns, lines.c.remittance).where(
        lines.c.partition == WHOLE, lines.c.bank == bank, lines.c.booking_date.between(first, last)
    )
    return {Telling(*row) for row in connection.execute(query)}


def insert_statement(connection: sa.Connection, kept: KeptStatement, told: Sequence[BankLine]) -> None:
    """Add a statement to its bank's chain, with its lines."""
    values = {
        "sha256": kept.sha256,
        "number": kept.number,
        "bank": kept.bank,
        "chain": kept.chain,
        "account": kept.account,
        "identifier": kept.identifier,
        "currency": "IDR",
        "opening_date": kept.opening_date,
        "opening": kept.opening,
        "closing_date": kept.closing_date,
        "closing": kept.closing,
        "lines": kept.lines,
        "night": kept.night,
        "sequence": kept.sequence,
    }
    connection.execute(sa.insert(statements), {"partition": WHOLE, **values})
    for first in range(0, len(told), _ROWS_A_TIME):
        rows = [_line_row(line) for line in told[first : first + _ROWS_A_TIME]]
        connection.execute(sa.insert(lines), rows)


def _line_row(told: BankLine) -> dict[str, Any]:
    line = told.line
    return {
        "partition": WHOLE,
        "sha256": told.key.sha256,
        "statement": told.key.statement,
        "number": told.key.number,
        "bank": told.bank,
        "value_date": day_of(line.value_date),
        "booking_date": day_of(line.booking_date),
        "amount": line.amount,
        "currency": line.currency,
        "reference": line.reference,
        "end_to_end": line.end_to_end,
        "remittance": line.text,
        "bank_reference": line.bank_reference,
        "source_line": line.source_line,
        "repeated": told.repeated,
    }


def line_of_row(row: Any) -> BankLine:
    """A line from its row."""
    line = Line(
        value_date=date_of(Day(row.value_date)),
        booking_date=date_of(Day(row.booking_date)),
        amount=Sen(row.amount),
        currency=row.currency,
        reference=row.reference,
        end_to_end=row.end_to_end,
        text=row.remittance,
        bank_reference=row.bank_reference,
        source_line=row.source_line,
    )
    return BankLine(LineKey(row.sha256, row.statement, row.number), row.bank, line, row.repeated)


def lines_of(connection: sa.Connection, night: Day) -> list[BankLine]:
    """All lines of the statements that a night accepted, in order of their bank's chain."""
    here = sa.and_(
        statements.c.partition == lines.c.partition,
        statements.c.sha256 == lines.c.sha256,
        statements.c.number == lines.c.statement,
    )
    query = (
        sa.select(lines)
        .join(statements, here)
        .where(lines.c.partition == WHOLE, statements.c.night == night)
        .order_by(statements.c.bank, statements.c.chain, lines.c.number)
    )
    return [line_of_row(row) for row in connection.execute(query)]
