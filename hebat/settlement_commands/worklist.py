"""`hebat settlement worklist`, `claims` and `figures`: the console's one list of work, explained and exported from a shell."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    ReasonOption,
    city_database,
    day_or_today,
    show_table,
    tell,
)
from keys.clock import UnixMs, date_of, day_of, local
from keys.money import Sen, display

if TYPE_CHECKING:
    from settlement.console.sheets import Sheet
    from settlement.console.store import Filters

worklist_app = typer.Typer(help="The one list of work: look, explain, export.", no_args_is_help=True)

SourceOption = Annotated[
    str, typer.Option("--source", help="Only breaks, or quarantine, exception or dispute.")
]
ReasonFilter = Annotated[str, typer.Option("--reason", help="Only this reason.")]
BankOption = Annotated[int, typer.Option("--bank", min=0, max=9999, help="Only this bank's code.")]
TextOption = Annotated[str, typer.Option("--text", help="Only what has this in its evidence or reference.")]
ClosedOption = Annotated[bool, typer.Option("--closed", help="Closed work instead of open work.")]
NewestOption = Annotated[bool, typer.Option("--newest", help="The newest first.")]
OutArgument = Annotated[Path, typer.Argument(help="A new file: .xlsx, .csv or .pdf.")]
NightOption = Annotated[
    datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="The night's business date.")
]


def _filters(source: str, reason: str, bank: int, text: str, *, closed: bool, newest: bool) -> Filters:
    from settlement.console.store import Filters, Source  # noqa: PLC0415  loads with SQLAlchemy

    if source and source not in set(Source):
        raise InputRefused(f"{source[:40]!r} is no source: one of {', '.join(Source)}")
    return Filters(Source(source) if source else None, reason, bank, text, closed, newest)


@worklist_app.command("list")
def list_(
    data: DataOption, source: SourceOption = "", reason: ReasonFilter = "", bank: BankOption = 0, text: TextOption = "",
    closed: ClosedOption = False, newest: NewestOption = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 50, as_json: JsonOption = False,
) -> None:  # fmt: skip
    """List work, the oldest first, and count and add up all that the filters leave."""
    from settlement.console import store  # noqa: PLC0415  as above

    filters = _filters(source, reason, bank, text, closed=closed, newest=newest)
    with city_database(data) as database, database.transaction() as connection:
        found, totals = store.page(connection, filters, None, limit), store.totals(connection, filters)
    counts = {one.source.value: one.count for one in totals}
    if as_json:
        rows = [
            {"at": one.at, "source": one.source.value, "key": one.key, "reason": one.reason, "bank": one.bank,
             "reference": one.reference, "detail": one.detail, "amount_sen": one.amount, "closed": one.closed}
            for one in found
        ]  # fmt: skip
        tell({"work": rows, "counts": counts, "amount_sen": sum(one.amount for one in totals)})
        return
    if not found:
        typer.echo("Nothing is left to do by these filters.")
        return
    shown = [
        [f"{local(UnixMs(one.at)):%Y-%m-%d %H:%M}", one.source.value, one.key, one.reason, one.detail,
         "" if one.amount is None else display(Sen(one.amount))]
        for one in found
    ]  # fmt: skip
    show_table(["found", "what", "key", "reason", "evidence", "amount"], shown, right=["amount"])
    listed = ", ".join(f"{count} {name}s" for name, count in counts.items())
    typer.echo(
        f"{sum(counts.values())} in all ({listed}): {display(Sen(sum(one.amount for one in totals)))}."
    )


@worklist_app.command()
def export(
    out: OutArgument, data: DataOption, source: SourceOption = "", reason: ReasonFilter = "", bank: BankOption = 0,
    text: TextOption = "", closed: ClosedOption = False, newest: NewestOption = False,
) -> None:  # fmt: skip
    """Write all work that the filters leave into a workbook, a table or a PDF, with its sum."""
    from settlement.console.export_pages import worklist_sheet  # noqa: PLC0415  as above

    filters = _filters(source, reason, bank, text, closed=closed, newest=newest)
    _check_out(out)
    with city_database(data) as database:
        _write(out, worklist_sheet(database, _banks(data), filters))


@worklist_app.command()
def explain(
    things: Annotated[list[str], typer.Argument(help="quarantine:KEY or exception:KEY, as the list shows.")],
    data: DataOption, author: AuthorOption, reason: ReasonOption,
) -> None:  # fmt: skip
    """Say what records and exceptions of the intake were; they leave the open ones. All or none."""
    from hebat.settlement_commands.desks import acting_ledger  # noqa: PLC0415  as above
    from settlement.breaks.explanations.desk import IntakeDesk  # noqa: PLC0415
    from settlement.console.intake_pages import things as read  # noqa: PLC0415

    chosen = read(things)
    with acting_ledger(data) as ledger:
        IntakeDesk(ledger).explain(chosen, author, reason)
    typer.echo(f"{len(chosen)} explained.")


def claims(
    data: DataOption,
    until: Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Only those due by then.")] = None,
    state: Annotated[str, typer.Option("--state", help="open, won, lost, withdrawn, or all.")] = "open", as_json: JsonOption = False,
) -> None:  # fmt: skip
    """List claims against banks and parties, the nearest deadline first."""
    from settlement.console.claims import store  # noqa: PLC0415  as above

    if state not in {*store.STATES, "all"}:
        raise InputRefused(f"{state[:40]!r} is no state: one of {', '.join(store.STATES)}, all")
    day = day_of(until.date()) if until else 0
    filters = store.Filters("" if state == "all" else state, day)
    with city_database(data) as database, database.transaction() as connection:
        found = store.claims(connection, filters, None, 500)
    told: list[dict[str, Any]] = [
        {"deadline": date_of(one.claim.deadline).isoformat(), "break": one.claim.break_id, "against": one.claim.against,
         "claim": one.claim.claim, "state": one.claim.state.value, "bank": one.bank, "difference_sen": one.difference}
        for one in found
    ]  # fmt: skip
    if as_json:
        tell(told)
    elif not told:
        typer.echo("No claim is like that.")
    else:
        names = ["deadline", "break", "against", "claim", "state"]
        show_table(names, [[str(one[name]) for name in names] for one in told])


def report(out: OutArgument, night: NightOption, data: DataOption) -> None:
    """Write a settled night's positions and figures into a workbook, a table or a PDF."""
    from settlement.console.export_pages import night_sheet  # noqa: PLC0415  as above
    from settlement.view import view  # noqa: PLC0415

    _check_out(out)
    with city_database(data) as database:
        found = view(database, day_of(night.date()))
    if found is None:
        raise InputRefused(f"{night.date()} is not settled: run its night first")
    _write(out, night_sheet(_banks(data), found))


def figures(data: DataOption, day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The business date; today without it.")] = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Print volume by hour of a business date, and fee income of the newest nights."""
    from settlement.console.figures import store  # noqa: PLC0415  as above

    wanted = day_or_today(day)
    with city_database(data) as database, database.transaction() as connection:
        hours, fees = store.by_hour(connection, wanted), store.fees_by_day(connection, 30)
    if as_json:
        tell({
            "date": date_of(wanted).isoformat(),
            "hours": {hour: {"taps": count, "amount_sen": amount} for hour, (count, amount) in sorted(hours.items())},
            "fees_sen": {date_of(night).isoformat(): fee for night, fee in fees},
        })  # fmt: skip
        return
    rows = [[f"{hour:02d}", str(count), display(Sen(amount))] for hour, (count, amount) in sorted(hours.items())]  # fmt: skip
    show_table(["hour", "taps", "amount"], rows, right=["taps", "amount"])
    show_table(["night", "fees"], [[date_of(night).isoformat(), display(Sen(fee))] for night, fee in fees], right=["fees"])  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the list, and the commands beside it, to `hebat settlement`."""
    app.add_typer(worklist_app, name="worklist")
    for command in (claims, report, figures):
        app.command()(command)


def _banks(data: Path) -> Any:
    """How banks are called in this city."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  as above

    banks = configuration_of(Folder(data)).participants.banks

    def named(code: int) -> str:
        return banks[code].name if code in banks else f"bank {code:04d}"

    return named


def _check_out(out: Path) -> None:
    from settlement.console.sheets import TYPES  # noqa: PLC0415  as above

    if out.suffix.lstrip(".") not in TYPES:
        raise InputRefused(f"{out.name} is none of .{', .'.join(TYPES)}")
    if out.exists():
        raise InputRefused(f"{out} is there already: name a new file")


def _write(out: Path, sheet: Sheet) -> None:
    from settlement.console.sheets import written  # noqa: PLC0415  as above

    out.write_bytes(written(sheet, out.suffix.lstrip(".")))
    typer.echo(f"{len(sheet.rows)} rows are in {out}.")
