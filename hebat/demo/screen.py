"""The demo's report on a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import qrcode

from hebat.demo.report import CARDHOLDER
from hebat.night_commands.screen import show_days, show_nets, show_three_way
from hebat.printed import titled
from hebat.wording import some
from keys.money import Sen, display

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from hebat.demo.members import Member
    from hebat.demo.report import Report

GAP: Final = 3
"""Room between the columns of this report, in characters."""


def show(report: Report, console: Console, address: str, *, scannable: bool = False) -> None:
    """Print everything that the day left; `address` is where its pages can be looked at ("": nowhere), now if `scannable`."""
    console.print()
    console.print(
        f"[bold]{report.day}[/bold], seed {report.seed}: {report.cards} cards, {report.records} records uploaded"
    )
    _taps(report, console)
    _pockets(report, console)
    _refused(report, console)
    _positions(report, console)
    show_days(report.night["service_days"], console)
    show_nets(report.night["nets"], console)
    _bank_side(report, console)
    show_three_way(report.night["three_way"], console)
    _trial(report, console)
    _laws(report, console)
    number, position, digest = report.head
    console.print(f"\nChain head on {report.database}: block {number}, position {position}, {digest}")
    for name, path in report.pages if address else ():
        console.print(f"  {name}: {address}{path}", soft_wrap=True, highlight=False)
    if scannable:
        _code(f"{address}{dict(report.pages)[CARDHOLDER]}", console)
    verdict = (
        "[green]every law held, breaks are the planted ones[/green]"
        if report.sound
        else "[red]NOT SOUND[/red]"
    )
    console.print(f"\n{verdict}, {report.seconds} s")


def show_members(staff: Iterable[Member], console: Console, address: str) -> None:
    """How to sign in to the console; printed here once, and kept nowhere in the clear."""
    table = titled("\nThe console's staff, told this once", "name", "password", "recovery codes, each for one sign-in", "authenticator's secret", words=4, gap=GAP)  # fmt: skip
    for member in staff:
        table.add_row(member.name, member.password, " ".join(member.codes[:3]), member.secret)
    console.print(table)
    console.print(f"  sign in at {address}/staff/sign-in", soft_wrap=True, highlight=False)


def _code(address: str, console: Console) -> None:
    """The cardholder's page as a QR that a phone can scan from the screen."""
    code = qrcode.QRCode(border=2)
    code.add_data(address)
    drawn = io.StringIO()
    code.print_ascii(out=drawn, invert=True)
    console.print(drawn.getvalue(), soft_wrap=True, highlight=False)


def _money(sen: Sen) -> str:
    return display(sen)


def _taps(report: Report, console: Console) -> None:
    table = titled("\nWhat the cards did", "transfer", "count", "sum", "late, next window", gap=GAP)
    for line in report.kinds:
        table.add_row(line.kind, str(line.transfers), _money(line.sen), str(line.late))
    console.print(table)
    console.print(f"free transfers between buses: {report.free_transfers}", highlight=False)


def _pockets(report: Report, console: Console) -> None:
    table = titled("\nThree pockets", "pocket", "count", "hold", "what happened", gap=GAP)
    table.columns[3].justify = "left"
    for line in report.pockets:
        table.add_row(line.pocket, str(line.count), _money(line.sen), line.told)
    console.print(table)


def _refused(report: Report, console: Console) -> None:
    table = titled("\nWhat was refused, and why", "where", "what", "count", words=2, gap=GAP)
    for action, screens in report.screens.items():
        for shown, count in screens.items():
            if shown != "green":
                table.add_row(f"terminal, {action}", shown, str(count))
    for reason, resolution, count in report.quarantine:
        table.add_row("ledger, quarantine", f"{reason}, {resolution}", str(count))
    for kind, count in report.exceptions.items():
        table.add_row("ledger, exception", kind, str(count))
    for name, status, told in report.attacks:
        table.add_row(f"attack, {name}", f"{status}: {told}", "1")
    console.print(table)


def _positions(report: Report, console: Console) -> None:
    table = titled("\nPositions of the window", "bank", "party", "gross", "fee", "net", words=2, gap=GAP)
    for line in report.positions:
        table.add_row(line.bank, line.party, _money(line.gross), _money(line.fee), _money(line.net))
    console.print(table)
    console.print(
        f"{some(report.payment_files, 'payment file')} (pain.001.001.09) with {some(report.payments, 'payment')} of "
        f"{_money(report.paid)}; {some(report.statements, 'statement')} in, {some(report.matched, 'line')} matched",
        highlight=False,
    )


def _bank_side(report: Report, console: Console) -> None:
    table = titled("\nBreaks", "reason", "bank", "difference", "evidence", "planted", words=2, gap=GAP)
    table.columns[3].justify = "left"
    for line in report.breaks:
        table.add_row(
            line.reason,
            line.bank,
            _money(line.difference),
            line.evidence,
            "yes" if line.planted else "[red]NO[/red]",
        )
    console.print(table)
    if report.missed:
        console.print(f"[red]{some(report.missed, 'planted mistake')} became no break[/red]")


def _trial(report: Report, console: Console) -> None:
    table = titled("\nTrial balance", "account", "number", "debits", "credits", gap=GAP)
    for code, accounts, debits, credited in report.trial:
        table.add_row(code, str(accounts), _money(debits), _money(credited))
    table.add_section()
    table.add_row("sum", "", _money(report.debits), _money(report.credits))
    console.print(table)


def _laws(report: Report, console: Console) -> None:
    table = titled("\nThe laws", "", "law", "figure", words=3, gap=GAP)
    for number, name, held, figure in report.laws:
        mark = "[green]held[/green]" if held else "[red]BROKEN[/red]"
        table.add_row(mark, f"{number} {name}", figure)
    console.print(table)
