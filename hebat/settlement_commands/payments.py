"""`hebat settlement payments`: payment files to banks. One makes, another releases, the bank reports. Works beside a server."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.drafts import read_json
from hebat.settlement_commands.payment_forms import (
    file_json,
    payments_json,
    rejected_json,
    release_json,
    report_json,
)
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    show_table,
    tell,
)
from keys.clock import SystemClock, date_of, day_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.clock import Day
    from ledger.store import Database
    from settlement.payments.desk import PaymentDesk

payments_app = typer.Typer(
    help="Payment files: list, make, release, and what banks report.", no_args_is_help=True
)

LIMIT_MAX = 10_000
WindowOption = Annotated[
    datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The window's business date.")
]
BankOption = Annotated[int, typer.Option("--bank", min=1, max=9999, help="The bank's code.")]
FilesArgument = Annotated[list[Path], typer.Argument(help="Status reports (pain.002) as the bank sent them.")]


@contextmanager
def _desk(data: Path) -> Iterator[tuple[PaymentDesk, Database]]:
    from hebat.folder import Folder  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from settlement.payments.desk import PaymentDesk  # noqa: PLC0415
    from settlement.statements.schemas import Schemas  # noqa: PLC0415

    folder = Folder(data)
    with city_database(data) as database:
        yield PaymentDesk(database, folder.bank_out, Schemas(folder.schemas)), database


@payments_app.command("list")
def list_(
    data: DataOption,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only payments that a bank rejected.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="How many at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List payment files, the newest windows first, and who made and released each."""
    from settlement.payments import store  # noqa: PLC0415  as above

    with city_database(data) as database, database.transaction() as connection:
        told = (
            rejected_json(connection)
            if rejected
            else [file_json(connection, one) for one in store.files(connection, limit)]
        )
    if as_json:
        tell(told)
    elif not told:
        typer.echo("No payment is rejected." if rejected else "No window has a payment file yet.")
    elif rejected:
        rows = [[one["reference"], one["name"], one["shown"], one["reason"]] for one in told]
        show_table(["payment", "to", "amount", "the bank says"], rows, right=("amount",))
    else:
        rows = [
            [one["window"], one["file"], str(one["payments"]), one["shown"], one["state"], one["outcomes"]]
            for one in told
        ]
        show_table(
            ["window", "file", "payments", "total", "state", "the bank says"],
            rows,
            right=("payments", "total"),
        )


@payments_app.command()
def show(window: WindowOption, bank: BankOption, data: DataOption, as_json: JsonOption = False) -> None:
    """Show a file's payments: to whom, by which rail, when, for what fee, and what became of each."""
    from keys.money import display  # noqa: PLC0415  as above

    day = day_of(window.date())
    with city_database(data) as database:
        told = payments_json(database, day, bank)
    if as_json:
        tell(told)
        return
    if not told:
        raise InputRefused(f"bank {bank:04d} has nothing to pay on {date_of(day)}")
    rows = [
        [one["reference"], one["name"], display(one["amount_sen"]), one["rail"], one["due"], display(one["fee_sen"]),
         f"{one['status']} {one['reason']}".strip()]
        for one in told
    ]  # fmt: skip
    show_table(
        ["payment", "to", "amount", "rail", "due", "fee", "the bank says"], rows, right=("amount", "fee")
    )


@payments_app.command()
def make(window: WindowOption, bank: BankOption, data: DataOption, author: AuthorOption, as_json: JsonOption = False) -> None:  # fmt: skip
    """Stand behind a file: you looked at it, and another one may release it."""
    day = day_of(window.date())
    with _desk(data) as (desk, database), database_name(database, day, bank) as name:
        made = desk.make(day, bank, by=author, at=SystemClock().now())
    if as_json:
        tell(release_json(made))
    else:
        typer.echo(
            f"{name} is made by {made.made_by}. Another one releases it: hebat settlement payments release."
        )


@payments_app.command()
def release(window: WindowOption, bank: BankOption, data: DataOption, author: AuthorOption, as_json: JsonOption = False) -> None:  # fmt: skip
    """Let a file that another one made go to its bank. It goes out once."""
    day = day_of(window.date())
    with _desk(data) as (desk, database), database_name(database, day, bank) as name:
        done = desk.release(day, bank, by=author, at=SystemClock().now())
    if as_json:
        late = [
            {"reference": one.reference, "meant": date_of(one.meant).isoformat(), "executed": date_of(one.executed).isoformat()}
            for one in done.late
        ]  # fmt: skip
        tell(release_json(done.release) | {"late": late})
        return
    made = done.release
    typer.echo(f"{name} is released by {made.released_by} (made by {made.made_by}).")
    for one in done.late:
        typer.echo(
            f"  {one.reference} comes late: meant for {date_of(one.meant)}, executed on {date_of(one.executed)}"
        )


@payments_app.command()
def status(files: FilesArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Take status reports in. Each is kept whole; one that cannot be used says why, and this ends with 2."""
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise InputRefused(f"there is no file {missing}")
    told = []
    with _desk(data) as (desk, _):
        for path in files:
            report, outcomes = desk.report(path.name[:255], path.read_bytes(), SystemClock().now())
            told.append((report, outcomes))
    if as_json:
        tell([report_json(report, outcomes) for report, outcomes in told])
    for report, outcomes in () if as_json else told:
        if report.reason:
            typer.echo(
                f"{report.name} is refused: {f'line {report.line}: ' if report.line else ''}{report.reason}"
            )
            continue
        typer.echo(f"{report.name}: {len(outcomes)} payments reported on")
        for one in outcomes:
            if one.status == "rejected":
                typer.echo(f"  {one.reference} is rejected: {one.reason}")
    if any(report.reason for report, _ in told):
        raise typer.Exit(2)


@payments_app.command()
def template(
    bank: Annotated[int, typer.Argument(min=1, max=9999, help="The bank's code.")],
    draft: Annotated[Path, typer.Option("--draft", help="The template as JSON; null goes back to pain.001.")],
    data: DataOption, author: AuthorOption, reason: ReasonOption,
) -> None:  # fmt: skip
    """Keep the form of a bank's own payment table; windows that are settled from now on use it."""
    from settlement.payments.table import template_of  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415
    from settlement.rulebook.model import RuleKind  # noqa: PLC0415

    told = read_json(draft)
    if told is not None:
        template_of(told)  # refuses what is none, before it is kept
    with city_database(data) as database:
        at = SystemClock().now()
        page = Rulebook(database).add(
            RuleKind.PAYMENT_TEMPLATE, f"{bank:04d}", told, author=author, reason=reason, at=at
        )
    form = "pain.001.001.09" if told is None else "its own table"
    typer.echo(f"Bank {page.name} gets {form} (version {page.version}).")


@contextmanager
def database_name(database: Database, day: Day, bank: int) -> Iterator[str]:
    """The name of a window's file for a bank, for the sentences about it."""
    from settlement.store import payment_files_of  # noqa: PLC0415  as above

    with database.transaction() as connection:
        names = [file.name for file in payment_files_of(connection, day) if file.bank == bank]
    yield names[0] if names else ""
