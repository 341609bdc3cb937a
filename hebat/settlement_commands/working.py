"""What people do with breaks from a shell: take, comment, attach, propose and decide, dispute. Takes the ledger for a moment."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  Typer reads the annotations
from pathlib import Path  # noqa: TC003  Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.settlement_commands.desks import acting
from hebat.settlement_commands.place import AuthorOption, DataOption, JsonOption, ReasonOption, tell
from keys.clock import date_of, day_of
from keys.money import display

if TYPE_CHECKING:
    from ledger.chart import AccountId
    from settlement.breaks.desk import BreaksDesk
    from settlement.breaks.disputes.kept import Dispute
    from settlement.breaks.proposals.kept import Proposal

BreakArgument = Annotated[str, typer.Argument(help="The break's id, as the list shows it.")]
BreaksArgument = Annotated[list[str], typer.Argument(help="Ids of breaks, as the list shows them.")]
ProposalArgument = Annotated[int, typer.Argument(min=1, help="The proposal's number.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the group of breaks."""
    for command in (assign, weigh, comment, attach, propose, approve, reject, withdraw, dispute):
        app.command()(command)
    app.command("end-dispute")(end_dispute)


def assign(
    breaks: BreaksArgument,
    data: DataOption,
    author: AuthorOption,
    owner: Annotated[str, typer.Option("--to", help='Whose they are from now on; "" for nobody\'s.')],
) -> None:
    """Give breaks an owner."""
    with acting(data) as desks:
        desks.breaks.assign(breaks, owner, author)
    typer.echo(f"{len(breaks)} breaks are {owner or 'nobody'}'s.")


def weigh(
    breaks: BreaksArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    severity: Annotated[str, typer.Option("--as", help="low, medium or high.")],
) -> None:
    """Overrule how much hangs on breaks."""
    from settlement.breaks.kept import Severity  # noqa: PLC0415  loads with SQLAlchemy

    if severity.upper() not in Severity.__members__:
        raise InputRefused("a break weighs low, medium or high")
    with acting(data) as desks:
        desks.breaks.set_severity(breaks, Severity[severity.upper()], author, reason)
    typer.echo(f"{len(breaks)} breaks weigh {severity.lower()}.")


def comment(
    breaks: BreaksArgument,
    data: DataOption,
    author: AuthorOption,
    text: Annotated[str, typer.Option("--text", help="What to say.")],
) -> None:
    """Say something about breaks, for all to read."""
    with acting(data) as desks:
        desks.breaks.comment(breaks, text, author)
    typer.echo("Said.")


def attach(
    break_id: BreakArgument,
    file: Annotated[Path, typer.Argument(help="The file to keep with it.")],
    data: DataOption,
    author: AuthorOption,
) -> None:
    """Keep a file with a break, by its digest."""
    from settlement.breaks.kept import FILE_BYTES_MAX  # noqa: PLC0415  loads with SQLAlchemy

    if not file.is_file():
        raise InputRefused(f"there is no file {file}")
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InputRefused(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    with acting(data) as desks:
        digest = desks.breaks.attach(break_id, file.name, file.read_bytes(), author)
    typer.echo(f"{file.name} is kept as {digest}.")


def propose(
    break_id: BreakArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    write_off: Annotated[
        bool, typer.Option("--write-off", help="The city bears the difference, or keeps it.")
    ] = False,
    against: Annotated[
        str, typer.Option("--against", help="An account: kind:number, such as merchant-payable:501.")
    ] = "",
    reverse: Annotated[
        int, typer.Option("--reverse", min=0, help="Take the entry of this approved proposal back.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Propose an entry for a break; somebody else approves it."""
    if sum((write_off, bool(against), bool(reverse))) != 1:
        raise InputRefused("say one of --write-off, --against and --reverse")
    account = _account(data, against) if against else None
    with acting(data) as desks:
        _say(
            _proposed(desks.breaks, break_id, author, reason, account, reverse),
            "waits for somebody else",
            as_json=as_json,
        )


def _account(data: Path, against: str) -> AccountId:
    """The account that an adjustment goes against, of somebody who takes part."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  loads with SQLAlchemy
    from settlement.breaks.proposals.accounts import target  # noqa: PLC0415  as above

    kind, _, number = against.partition(":")
    if not number.isdecimal():
        raise InputRefused(f"{against[:40]!r} is no account: kind:number, such as merchant-payable:501")
    return target(kind, int(number), configuration_of(Folder(data)).participants)


def _proposed(
    desk: BreaksDesk, break_id: str, author: str, reason: str, against: AccountId | None, reverse: int
) -> Proposal:
    if reverse:
        if desk.proposal(reverse).break_id != break_id:
            raise InputRefused(f"proposal {reverse} is another break's")
        return desk.propose_reversal(reverse, author, reason)
    if against is None:
        return desk.propose_write_off(break_id, author, reason)
    return desk.propose_adjustment(break_id, against, author, reason)


def approve(
    number: ProposalArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption = "approved",
    as_json: JsonOption = False,
) -> None:
    """Approve a proposal of somebody else: its entry is posted."""
    with acting(data) as desks:
        made = desks.breaks.approve(number, author, reason)
    _say(made, f"is approved by {made.decided_by}; its entry is at {made.position}", as_json=as_json)


def reject(
    number: ProposalArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Reject a proposal of somebody else."""
    with acting(data) as desks:
        made = desks.breaks.reject(number, author, reason)
    _say(made, f"is rejected by {made.decided_by}", as_json=as_json)


def withdraw(
    number: ProposalArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Take back what you proposed yourself."""
    with acting(data) as desks:
        _say(desks.breaks.withdraw(number, author, reason), "is withdrawn", as_json=as_json)


def dispute(
    break_id: BreakArgument,
    data: DataOption,
    author: AuthorOption,
    against: Annotated[str, typer.Option("--against", help="The bank or party.")],
    claim: Annotated[str, typer.Option("--claim", help="What is claimed.")],
    deadline: Annotated[datetime, typer.Option("--deadline", formats=["%Y-%m-%d"], help="A business day.")],
) -> None:
    """Open a dispute; the files of the break are its evidence."""
    with acting(data) as desks:
        made = desks.breaks.dispute(break_id, against, claim, day_of(deadline.date()), author)
    typer.echo(f"Against {made.against}, until {date_of(made.deadline)}.")


def end_dispute(
    break_id: BreakArgument,
    data: DataOption,
    author: AuthorOption,
    how: Annotated[str, typer.Option("--as", help="won, lost or withdrawn.")],
    outcome: Annotated[str, typer.Option("--outcome", help="What came out.")],
) -> None:
    """Say how the open dispute of a break ended."""
    from settlement.breaks.disputes.kept import DisputeState  # noqa: PLC0415  as above

    if how not in {"won", "lost", "withdrawn"}:
        raise InputRefused("a dispute ends as won, lost or withdrawn")
    with acting(data) as desks:
        made = desks.breaks.close_dispute(break_id, DisputeState(how), outcome, author)
    typer.echo(f"The dispute with {made.against} is {made.state.value}.")


def _say(one: Proposal, what: str, *, as_json: bool) -> None:
    if as_json:
        tell(proposal_json(one))
    else:
        typer.echo(f"Proposal {one.number} ({one.kind.value}, {display(one.amount)}) {what}.")


def proposal_json(one: Proposal) -> dict[str, Any]:
    """A proposal for machines: the amount in sen."""
    return {
        "proposal": one.number, "break": one.break_id, "kind": one.kind.value, "debit": one.debit, "credit": one.credit,
        "amount": one.amount, "why": one.why, "proposed_by": one.proposed_by, "state": one.state.value,
        "decided_by": one.decided_by, "decided_why": one.decided_why, "position": one.position,
    }  # fmt: skip


def dispute_json(one: Dispute) -> dict[str, Any]:
    """A dispute for machines."""
    return {
        "against": one.against, "claim": one.claim, "deadline": date_of(one.deadline).isoformat(), "opened_by": one.opened_by,
        "state": one.state.value, "closed_by": one.closed_by, "outcome": one.outcome,
    }  # fmt: skip
