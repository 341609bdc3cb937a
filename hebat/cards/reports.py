"""The `hebat card` commands for holders' reports of problems with taps: list them, read one, answer it, while a server runs or not."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.cards.naming import day, grouped
from hebat.cards.options import DataOption, JsonOption  # noqa: TC001  Typer reads them
from hebat.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.cardholder.disputes import Dispute, Reports
    from ledger.intake.registry import Registry

ReferenceArgument = Annotated[str, typer.Argument(help="The report's reference, as the list shows it.")]


class Ended(StrEnum):
    """How a report ended, as `ledger.cardholder.disputes.Outcome` says it."""

    UPHELD = "upheld"
    REFUSED = "refused"


@contextmanager
def _desk(data: Path) -> Iterator[tuple[Reports, Registry]]:
    from hebat.cards.desk import open_desk  # noqa: PLC0415  the ledger loads only where it is needed
    from hebat.vaults import city_vault  # noqa: PLC0415
    from ledger.cardholder.disputes import Reports  # noqa: PLC0415
    from ledger.cardholder.sealing import Sealing  # noqa: PLC0415

    with open_desk(Folder(data)) as desk, closing(city_vault(desk.folder)) as vault:
        yield Reports(desk.registry.database, Sealing(vault), desk.clock), desk.registry


def reports(
    data: DataOption,
    every: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what cardholders reported, the report that has to be answered first on top, with what they wrote."""
    with _desk(data) as (desk, registry):
        found = [_told(desk, registry, one) for one in desk.all(only_open=not every)]
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    for one in found:
        typer.echo(
            f"{one['reference']}  answer by {one['due']}  card {one['card']}  tap {one['tap']}  {one['reason']}, {one['state']}"
        )
        typer.echo(f"    {one['words'] or 'no words'}")
    if not found:
        typer.echo("nothing waits for an answer")


def _told(desk: Reports, registry: Registry, one: Dispute) -> dict[str, Any]:
    card = registry.card(one.uid)
    number = "" if card is None else grouped(card.card_number)
    return {
        "reference": one.reference, "due": day(one.due), "card": number, "tap": one.tmc, "reason": one.reason.value,
        "state": one.state, "words": desk.words(one.reference), "answer": one.answer, "answered_by": one.answered_by,
    }  # fmt: skip


def answer(
    reference: ReferenceArgument,
    data: DataOption,
    outcome: Annotated[Ended, typer.Option(help="How it ended.")],
    text: Annotated[str, typer.Option(help="What the holder reads, by the number of the report.")],
    by: Annotated[str, typer.Option(help="Who answers.")],
) -> None:
    """Answer a report, once. Money that is owed is given back apart from this: by a refund, or in settlement."""
    from ledger.cardholder.disputes import Outcome  # noqa: PLC0415  as above

    with _desk(data) as (desk, _):
        done = desk.answer(reference, Outcome(outcome.value), text, by)
    typer.echo(f"Report {done.reference} is {done.state}: its holder reads the answer by its number.")
