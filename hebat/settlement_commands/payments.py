"""`hebat settlement payments`: payment files to banks. One makes, another releases, the bank reports. Works beside a server."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.drafts import read_json
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

    from keys.clock import Day
    from ledger.store import Connection, Database
    from settlement.payments.desk import PaymentDesk
    from settlement.payments.model import Release

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
            _rejected(connection)
            if rejected
            else [_file_json(connection, one) for one in store.files(connection, limit)]
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
    from settlement.payments import store  # noqa: PLC0415
    from settlement.payments.city import city_rails  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415
    from settlement.store import items_of  # noqa: PLC0415

    day = day_of(window.date())
    with city_database(data) as database:
        rules = city_rails(Rulebook(database))
        with database.transaction() as connection:
            found = [
                item for item in items_of(connection, day) if item.bank == bank and item.rail is not None
            ]
            outcomes = store.outcomes(connection, [item.reference for item in found])
    told: list[dict[str, Any]] = [
        {
            "reference": item.reference, "name": item.name, "amount_sen": -item.amount, "rail": item.rail.name,
            "due": date_of(item.due).isoformat(), "fee_sen": rules.fee(item.rail, day),
            "status": outcomes[item.reference].status.value if item.reference in outcomes else "",
            "reason": outcomes[item.reference].reason if item.reference in outcomes else "",
        }
        for item in found if item.rail is not None
    ]  # fmt: skip
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
        tell(_release_json(made))
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
        tell(_release_json(done.release) | {"late": late})
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
        tell([_report_json(report, outcomes) for report, outcomes in told])
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


def _file_json(connection: Connection, one: Any) -> dict[str, Any]:
    from keys.money import Sen, display  # noqa: PLC0415  as above
    from settlement.payments import store  # noqa: PLC0415
    from settlement.store import items_of  # noqa: PLC0415

    found = store.release_of(connection, one.business_date, one.bank)
    payments = [
        item.reference
        for item in items_of(connection, one.business_date)
        if item.bank == one.bank and item.rail
    ]
    said = [outcome.status.value for outcome in store.outcomes(connection, payments).values()]
    counts = {name: said.count(name) for name in dict.fromkeys(said)}
    return {
        "window": date_of(one.business_date).isoformat(), "bank": one.bank, "file": one.name, "sha256": one.sha256,
        "payments": one.payments, "total_sen": one.total, "shown": display(Sen(one.total)),
        "state": _state(found), "release": None if found is None else _release_json(found),
        "outcomes": ", ".join(f"{count} {name}" for name, count in counts.items()),
    }  # fmt: skip


def _state(found: Release | None) -> str:
    if found is None:
        return "waits for one who makes it"
    if not found.is_released:
        return f"made by {found.made_by}"
    return f"released by {found.released_by}"


def _rejected(connection: Connection) -> list[dict[str, Any]]:
    from keys.money import Sen, display  # noqa: PLC0415  as above
    from settlement.payments import store  # noqa: PLC0415

    return [
        {
            "reference": item.reference, "bank": item.bank, "name": item.name, "amount_sen": -item.amount,
            "shown": display(Sen(-item.amount)), "reason": outcome.reason, "report": outcome.sha256,
        }
        for item, outcome in store.rejected(connection)
    ]  # fmt: skip


def _release_json(found: Release) -> dict[str, Any]:
    return {
        "window": date_of(found.business_date).isoformat(), "bank": found.bank, "sha256": found.sha256,
        "made_by": found.made_by, "made_at": local(found.made_at).isoformat(), "released_by": found.released_by,
        "released_at": None if found.released_at is None else local(found.released_at).isoformat(),
    }  # fmt: skip


def _report_json(report: Any, outcomes: Any) -> dict[str, Any]:
    return {
        "name": report.name, "sha256": report.sha256, "refused": report.reason, "line": report.line,
        "payments": [
            {"reference": one.reference, "status": one.status.value, "reason": one.reason} for one in outcomes
        ],
    }  # fmt: skip
