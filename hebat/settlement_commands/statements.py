"""`hebat settlement statements`: take bank files in, list them, look into one. Works beside a server."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    show_table,
    tell,
)
from keys.clock import SystemClock, date_of, day_of, local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.store import Connection
    from settlement.statements.desk import StatementDesk
    from settlement.statements.kept import KeptFile

statements_app = typer.Typer(help="Bank statements: take them in, and look at them.", no_args_is_help=True)

LIMIT_MAX = 10_000
FilesArgument = Annotated[list[Path], typer.Argument(help="Files as the bank sent them.")]
MappingOption = Annotated[str, typer.Option("--mapping", help="Read tables by this mapping alone.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="How many at most.")]


@contextmanager
def open_desk(data: Path) -> Iterator[StatementDesk]:
    """The desk of a city."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  loads SQLAlchemy
    from hebat.folder import Folder  # noqa: PLC0415
    from settlement.statements.desk import StatementDesk  # noqa: PLC0415

    with city_database(data) as database:
        folder = Folder(data)
        yield StatementDesk(database, configuration_of(folder).participants, folder.schemas)


@statements_app.command()
def take(
    files: FilesArgument, data: DataOption, mapping: MappingOption = "", as_json: JsonOption = False
) -> None:
    """Take files in. Each is kept whole; one that is refused says why, and this ends with 2."""
    today = day_of(local(SystemClock().now()).date())
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise InputRefused(f"there is no file {missing[0]}")
    with open_desk(data) as desk:
        taken = [desk.take(path, today, mapping) for path in files]
    if as_json:
        tell([_as_json(kept) for kept in taken])
    for kept in () if as_json else taken:
        for sentence in _sentences(kept):
            typer.echo(sentence)
    if any(kept.verdict == "refused" for kept in taken):
        raise typer.Exit(2)


@statements_app.command("list")
def list_(
    data: DataOption,
    refused: Annotated[bool, typer.Option("--refused", help="Only files that were refused.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List files that came in, the last first."""
    from settlement.statements import store  # noqa: PLC0415  loads SQLAlchemy

    with city_database(data) as database, database.transaction() as connection:
        found = store.all_files(connection, LIMIT_MAX if refused else limit)
    kept = [one for one in found if not refused or one.verdict == "refused"][:limit]
    if as_json:
        tell([_as_json(one) for one in kept])
        return
    if not kept:
        typer.echo("No file is refused." if refused else "No file came in yet.")
        return
    rows = [
        [date_of(one.night).isoformat(), one.name, one.verdict.value, one.format, one.sha256[:12], one.reason or _count(one)]
        for one in kept
    ]  # fmt: skip
    show_table(["taken", "file", "verdict", "format", "digest", ""], rows)


@statements_app.command()
def show(
    digest: Annotated[str, typer.Argument(help="A file's digest (SHA-256), or its beginning.")],
    data: DataOption,
    lines: Annotated[int, typer.Option("--lines", min=0, max=LIMIT_MAX, help="How many lines.")] = 20,
    raw: Annotated[bool, typer.Option("--raw", help="Print the file itself, byte for byte.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a file: verdict, what was mended, its statements and lines."""
    from settlement.statements import store  # noqa: PLC0415  as above

    if not digest or set(digest) - set("0123456789abcdef"):
        raise InputRefused(f"{digest[:70]!r} is no digest: `hebat settlement statements list` shows them")
    with city_database(data) as database, database.transaction() as connection:
        whole = _whole_digest(connection, digest)
        if raw:
            typer.echo(store.content_of(connection, whole) or b"", nl=False)
            return
        kept = store.files_with(connection, whole)
        statements = store.statements_in(connection, whole)
        told = store.lines_in(connection, whole, lines)
    if as_json:
        tell({
            "files": [_as_json(one) for one in kept],
            "statements": [_statement_json(one) for one in statements],
            "lines": [_line_json(one) for one in told],
        })  # fmt: skip
        return
    for one in kept:
        for sentence in _sentences(one):
            typer.echo(sentence)
    _show_statements(statements)
    _show_lines(told)


def _whole_digest(connection: Connection, beginning: str) -> str:
    """The digest of the one file that a person means; raises InputRefused."""
    from settlement.statements import store  # noqa: PLC0415  as above

    found = store.digests_like(connection, beginning)
    if len(found) != 1:
        few = "no file has" if not found else "more than one file has"
        raise InputRefused(f"{few} a digest that begins with {beginning}")
    return found[0]


@statements_app.command()
def dialect(
    bank: Annotated[int, typer.Argument(min=1, max=9999, help="The bank's code.")],
    name: Annotated[str, typer.Argument(help='The dialect, such as BTN; "" for the bank\'s own.')],
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
) -> None:
    """Choose the dialect in which a bank's MT940 is read."""
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415  as above
    from settlement.statements.dialects import BY_NAME  # noqa: PLC0415

    if name and name not in BY_NAME:
        raise InputRefused(f"there is no dialect {name!r}: {', '.join(BY_NAME)}")
    with open_desk(data) as desk:
        at = SystemClock().now()
        page = desk.rulebook.add(RuleKind.DIALECT, f"{bank:04d}", name, author=author, reason=reason, at=at)
    typer.echo(f"Bank {page.name} is read in the dialect {name or 'of its own'} (version {page.version}).")


def _count(kept: KeptFile) -> str:
    count = len(kept.remarks)
    return f"{count} remark{'s' if count > 1 else ''}" if count else ""


def _sentences(kept: KeptFile) -> Iterator[str]:
    where = f"line {kept.line}: " if kept.line else ""
    why = f": {where}{kept.reason}" if kept.reason else f" ({kept.format}, {kept.sha256[:12]})"
    yield f"{kept.name} is {kept.verdict}{why}"
    for remark in kept.remarks:
        yield f"  {f'line {remark.line}: ' if remark.line else ''}{remark.text}"


def _show_statements(statements: Any) -> None:
    from keys.money import display  # noqa: PLC0415

    rows = [
        [one.account, one.identifier, f"{date_of(one.opening_date)}", display(one.opening), f"{date_of(one.closing_date)}",
         display(one.closing), str(one.lines)]
        for one in statements
    ]  # fmt: skip
    if rows:
        right = ("opening", "closing", "lines")
        show_table(["account", "statement", "from", "opening", "to", "closing", "lines"], rows, right=right)


def _show_lines(told: Any) -> None:
    from keys.money import display  # noqa: PLC0415

    rows = [
        [f"{line.line.booking_date}", display(line.line.amount), line.reference, line.line.text[:60]]
        for line in told
    ]
    if rows:
        typer.echo("")
        show_table(["booked", "amount", "reference", "text"], rows, right=("amount",))


def _as_json(kept: KeptFile) -> dict[str, Any]:
    return {
        "name": kept.name, "sha256": kept.sha256, "taken": date_of(kept.night).isoformat(), "verdict": kept.verdict.value,
        "reason": kept.reason, "line": kept.line, "bytes": kept.bytes, "format": kept.format,
        "remarks": [{"line": remark.line, "text": remark.text} for remark in kept.remarks],
    }  # fmt: skip


def _statement_json(one: Any) -> dict[str, Any]:
    return {
        "bank": one.bank, "account": one.account, "statement": one.identifier, "number": one.sequence,
        "from": date_of(one.opening_date).isoformat(), "opening_sen": one.opening,
        "to": date_of(one.closing_date).isoformat(), "closing_sen": one.closing, "lines": one.lines,
    }  # fmt: skip


def _line_json(told: Any) -> dict[str, Any]:
    line = told.line
    return {
        "key": str(told.key), "booked": line.booking_date.isoformat(), "value": line.value_date.isoformat(),
        "amount_sen": line.amount, "reference": told.reference, "bank_reference": line.bank_reference,
        "text": line.text, "repeated": told.repeated, "source_line": line.source_line,
    }  # fmt: skip
