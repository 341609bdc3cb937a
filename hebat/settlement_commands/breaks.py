"""`hebat settlement breaks`: look at breaks, their histories, ages and suspense, and export them. Works beside a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands import working
from hebat.settlement_commands.break_sheets import write_csv, write_xlsx
from hebat.settlement_commands.desks import looking
from hebat.settlement_commands.place import DataOption, JsonOption, day_or_today, show_table, tell
from keys.clock import Day, date_of, local
from keys.money import Sen, display

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hebat.settlement_commands.desks import Desks
    from settlement.breaks.filters import Filters
    from settlement.breaks.kept import BreakFolder, KeptBreak

breaks_app = typer.Typer(
    help="Breaks: look, take, comment, propose, approve, dispute, export.", no_args_is_help=True
)
working.add_to(breaks_app)

AGES = {"24": "up to 24 h", "72": "up to 72 h", "120": "up to 120 h", "over": "over 120 h"}
SEVERITIES = {"low": 1, "medium": 2, "high": 3}
BankOption = Annotated[int, typer.Option("--bank", min=0, max=9999, help="Only this bank's code.")]
ReasonFilter = Annotated[str, typer.Option("--reason", help='Only this reason, such as "amount differs".')]
CauseFilter = Annotated[str, typer.Option("--cause", help='Only this root cause, such as "bank holiday".')]
OwnerFilter = Annotated[str, typer.Option("--owner", help="Only this owner's; \"-\" for nobody's.")]
AgeFilter = Annotated[str, typer.Option("--age", help="Only this bucket: 24, 72, 120 or over (hours).")]
SeverityFilter = Annotated[str, typer.Option("--severity", help="Only low, medium or high.")]
ClosedFilter = Annotated[bool, typer.Option("--closed", help="Closed ones instead of open ones.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a command, as they were said."""

    bank: int = 0
    reason: str = ""
    cause: str = ""
    owner: str = ""
    age: str = ""
    severity: str = ""
    closed: bool = False

    def filters(self, desks: Desks, today: Day) -> Filters:
        """The same as the desk asks for them; raises InputRefused for a word that is none."""
        from settlement.breaks.filters import Filters  # noqa: PLC0415
        from settlement.breaks.kept import Age, Cause  # noqa: PLC0415
        from settlement.breaks.model import Reason  # noqa: PLC0415  loads with SQLAlchemy

        _known("reason", self.reason, list(Reason))
        _known("cause", self.cause, [cause for cause in Cause if cause])
        _known("age", self.age, list(AGES))
        _known("severity", self.severity, list(SEVERITIES))
        owner = "" if self.owner == "-" else self.owner
        made = Filters(
            bank=self.bank, reason=self.reason, cause=self.cause, owner=owner, unowned=self.owner == "-",
            severity=SEVERITIES.get(self.severity, 0), closed=self.closed,
        )  # fmt: skip
        return desks.breaks.with_age(made, Age(AGES[self.age]), today) if self.age else made


def _known(what: str, said: str, words: Iterable[str]) -> None:
    listed = [str(word) for word in words]
    if said and said not in listed:
        raise InputRefused(f"{said[:40]!r} is no {what}: one of {', '.join(listed)}")


@breaks_app.command("list")
def list_(
    data: DataOption, bank: BankOption = 0, reason: ReasonFilter = "", cause: CauseFilter = "", owner: OwnerFilter = "",
    age: AgeFilter = "", severity: SeverityFilter = "", closed: ClosedFilter = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 50, as_json: JsonOption = False,
) -> None:  # fmt: skip
    """List breaks, the oldest first, with what hangs on all that the filters ask for."""
    wanted, today = Wanted(bank, reason, cause, owner, age, severity, closed), day_or_today(None)
    with looking(data) as desks:
        filters = wanted.filters(desks, today)
        found, totals = desks.breaks.page(filters, None, limit), desks.breaks.totals(filters)
        told = [break_json(one, desks, today) for one in found]
    if as_json:
        tell({"breaks": told, "count": totals.count, "difference": totals.difference, "size": totals.size})
        return
    if not told:
        typer.echo("Nothing is broken." if filters == type(filters)() else "No break is like that.")
        return
    rows = [
        [one["break"], one["reason"], one["cause"] or "-", one["severity"], one["age"], f"{one['bank']:04d}",
         display(Sen(one["difference"])), one["owner"] or "-"]
        for one in told
    ]  # fmt: skip
    show_table(
        ["break", "reason", "cause", "weight", "age", "bank", "difference", "owner"],
        rows,
        right=["difference"],
    )
    typer.echo(f"{totals.count} in all: {display(totals.difference)} net, {display(totals.size)} in size.")


def break_json(one: KeptBreak, desks: Desks, today: Day) -> dict[str, Any]:
    """A break for machines: amounts in sen."""
    line = one.line
    return {
        "break": one.break_id, "reason": one.reason.value, "cause": one.cause.value, "severity": one.severity.name.lower(),
        "age": desks.breaks.age(one, today).value, "bank": one.bank, "reference": one.reference,
        "line": f"{line.sha256}/{line.statement}/{line.number}" if line.sha256 else "", "match": one.match, "shown": one.shown,
        "difference": one.difference, "owner": one.owner, "since": date_of(one.since).isoformat(),
        "state": "open" if one.is_open else "closed", "evidence": one.evidence, "why": one.cause_evidence, "proposal": one.proposal,
    }  # fmt: skip


@breaks_app.command()
def show(break_id: working.BreakArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Show a break with its history, files, proposals, disputes, and its stay in suspense."""
    today = day_or_today(None)
    with looking(data) as desks:
        folder = desks.breaks.folder(break_id)
        told = break_json(folder.found, desks, today)
    if as_json:
        tell(told | _folder_json(folder))
        return
    typer.echo(
        f"{told['break']}: {told['reason']}, {told['severity']}, {told['age']}, {told['state']}; owner {told['owner'] or 'nobody'}."
    )
    typer.echo(f"  {told['evidence']}")
    if told["cause"]:
        typer.echo(f"  cause: {told['cause']} ({told['why']})")
    typer.echo(
        f"  bank {told['bank']:04d}, difference {display(Sen(told['difference']))}, since {told['since']}"
    )
    for name in ("reference", "line"):
        if told[name]:
            typer.echo(f"  {name} {told[name]}")
    if folder.suspense is not None:
        left = (
            f", left by the entry at {folder.suspense.left_position}" if folder.suspense.left_position else ""
        )
        typer.echo(f"  in suspense by the entry at {folder.suspense.entered_position}{left}")
    rows = [
        [f"{local(one.at):%Y-%m-%d %H:%M}", one.who, one.what.value, one.said, one.sha256[:12]]
        for one in folder.events
    ]
    show_table(["at", "who", "what", "", "file"], rows)


def _folder_json(folder: BreakFolder) -> dict[str, Any]:
    return {
        "history": [
            {"at": one.at, "who": one.who, "what": one.what.value, "said": one.said, "sha256": one.sha256}
            for one in folder.events
        ],
        "proposals": [working.proposal_json(one) for one in folder.proposals],
        "disputes": [working.dispute_json(one) for one in folder.disputes],
        "in_suspense": folder.suspense is not None and not folder.suspense.left_position,
    }


@breaks_app.command()
def ageing(data: DataOption, as_json: JsonOption = False) -> None:
    """Say how old the open breaks are, and what stands in suspense at each bank."""
    with looking(data) as desks:
        found, held = desks.breaks.ageing(day_or_today(None)), desks.breaks.suspense()
    if as_json:
        tell({
            "ages": {age.value: {"count": count, "size": size} for age, (count, size) in found.items()},
            "suspense": {f"{bank:04d}": {"count": count, "amount": amount} for bank, (count, amount) in held.items()},
        })  # fmt: skip
        return
    rows = [[age.value, str(count), display(Sen(size))] for age, (count, size) in found.items()]
    show_table(["age", "breaks", "size"], rows, right=["breaks", "size"])
    for bank, (count, amount) in held.items():
        typer.echo(f"In suspense at bank {bank:04d}: {count} lines, {display(amount)}.")


@breaks_app.command()
def proposals(data: DataOption, as_json: JsonOption = False) -> None:
    """List proposals that wait for somebody to approve or reject them."""
    with looking(data) as desks:
        found = desks.breaks.proposals(limit=500)
    if as_json:
        tell([working.proposal_json(one) for one in found])
        return
    if not found:
        typer.echo("No proposal waits.")
        return
    rows = [
        [str(one.number), one.break_id, one.kind.value, display(one.amount), one.proposed_by, one.why]
        for one in found
    ]
    show_table(["number", "break", "kind", "amount", "by", "why"], rows, right=["number", "amount"])


@breaks_app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A new file: .csv or .xlsx.")],
    data: DataOption, bank: BankOption = 0, reason: ReasonFilter = "", cause: CauseFilter = "", owner: OwnerFilter = "",
    age: AgeFilter = "", severity: SeverityFilter = "", closed: ClosedFilter = False,
) -> None:  # fmt: skip
    """Write breaks into a table, all that the filters ask for. Amounts are rupiah with two decimals."""
    writers = {".csv": write_csv, ".xlsx": write_xlsx}
    if out.suffix not in writers:
        raise InputRefused(f"{out.name} is neither .csv nor .xlsx")
    if out.exists():
        raise InputRefused(f"{out} is there already: name a new file")
    wanted, today = Wanted(bank, reason, cause, owner, age, severity, closed), day_or_today(None)
    with looking(data) as desks:
        rows = [break_json(one, desks, today) for one in desks.breaks.each(wanted.filters(desks, today))]
    writers[out.suffix](out, rows)
    typer.echo(f"{len(rows)} breaks are in {out}.")
