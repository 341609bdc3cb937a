"""`hebat settlement disputes`: what cardholders report about their taps, and the answers that they read by their numbers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.settlement_commands.desks import acting_ledger
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    city_database,
    show_table,
    tell,
)
from keys.clock import SystemClock, date_of, local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.book import Ledger
    from ledger.cardholder.disputes import Dispute, Disputes

disputes_app = typer.Typer(help="Cardholders' disputes: list, show, answer.", no_args_is_help=True)

ReferenceArgument = Annotated[str, typer.Argument(help="The dispute's reference, as the list shows it.")]


class _NoDays:
    """Nothing is opened here, so that nothing is ever due."""

    def due(self, _day: object) -> NoReturn:
        """Never asked."""
        raise InputRefused("disputes are opened by cardholders, on their page")


@contextmanager
def _book(ledger: Ledger, data: Path) -> Iterator[Disputes]:
    """The book of disputes over a ledger, with the vault that opens what holders wrote."""
    from hebat.vaults import city_vault  # noqa: PLC0415  loads cryptography
    from ledger.cardholder.disputes import Disputes  # noqa: PLC0415
    from ledger.cardholder.sealing import Sealing  # noqa: PLC0415

    vault = city_vault(Folder(data))
    try:
        yield Disputes(ledger, Sealing(vault), _NoDays(), SystemClock())
    finally:
        vault.close()


@disputes_app.command("list")
def list_(
    data: DataOption,
    answered: Annotated[bool, typer.Option("--answered", help="Answered ones instead of open ones.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what cardholders report, the one that is due first before others."""
    from settlement.console.claims import store  # noqa: PLC0415  loads SQLAlchemy

    filters = store.Filters("answered" if answered else "open")
    with city_database(data) as database, database.transaction() as connection:
        found = [one.dispute for one in store.reports(connection, filters, None, limit)]
        count = store.report_count(connection, filters)
    if as_json:
        tell([_told(one) for one in found])
        return
    if not found:
        typer.echo("No cardholder waits for an answer." if not answered else "None was answered yet.")
        return
    rows = [
        [one.reference, date_of(one.due).isoformat(), one.reason.value, f"{one.uid:014X}", str(one.tmc), one.state]
        for one in found
    ]  # fmt: skip
    show_table(["reference", "due", "reason", "card", "counter", "state"], rows, right=["counter"])
    typer.echo(f"{count} in all.")


@disputes_app.command()
def show(reference: ReferenceArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Show a dispute with what the holder wrote. It needs the vault, and takes the ledger for a moment."""
    with acting_ledger(data) as ledger, _book(ledger, data) as book:
        words = book.words(reference)
        one = next(one for one in book.all() if one.reference == reference)
    if as_json:
        tell(_told(one) | {"words": words})
        return
    typer.echo(f"{one.reference}: {one.reason.value}, {one.state}, due {date_of(one.due)}; counter {one.tmc} of card {one.uid:014X}.")  # fmt: skip
    typer.echo(words or "Nothing more was written.")
    if one.answered_by:
        typer.echo(f"{one.answered_by}, {local(one.answered_at):%Y-%m-%d %H:%M}: {one.answer}")


@disputes_app.command()
def answer(
    references: Annotated[list[str], typer.Argument(help="References, as the list shows them.")],
    data: DataOption, author: AuthorOption,
    how: Annotated[str, typer.Option("--as", help="upheld or refused.")],
    text: Annotated[str, typer.Option("--text", help="What the cardholders read.")],
) -> None:  # fmt: skip
    """Answer disputes, each once; one that cannot be answered stops the rest, and those before it are told."""
    from ledger.cardholder.disputes import Outcome  # noqa: PLC0415  as above

    if how not in set(Outcome):
        raise InputRefused(f"{how[:40]!r} is no end: {' or '.join(Outcome)}")
    with acting_ledger(data) as ledger, _book(ledger, data) as book:
        for reference in dict.fromkeys(references):
            done = book.answer(reference, Outcome(how), text, author)
            typer.echo(f"{done.reference} is {done.state}.")


def _told(one: Dispute) -> dict[str, Any]:
    return {
        "reference": one.reference, "uid": f"{one.uid:014X}", "counter": one.tmc, "reason": one.reason.value,
        "opened_at": one.opened_at, "due": date_of(one.due).isoformat(), "state": one.state, "answer": one.answer,
        "answered_by": one.answered_by,
    }  # fmt: skip
