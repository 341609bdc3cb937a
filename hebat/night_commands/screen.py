"""A night on a terminal: what was settled, who owes whom, what is left to look at, and the three-way report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hebat.printed import titled
from hebat.wording import some
from keys.money import Sen, display

if TYPE_CHECKING:
    from rich.console import Console

_BREAKS_SHOWN = 12
_NAMED_SHOWN = 3
_TEXT_SHOWN = 160


def show(told: dict[str, Any], console: Console, file: str = "") -> None:
    """Print a night (`telling.as_told`): lists by their beginning, `file` is where all of it stands."""
    figures = told["figures"]
    console.print(f"\n[bold]Night of {told['business_date']}[/bold], window closed at {told['closed_at']}")
    console.print(
        f"{some(figures['positions'], 'position')}, {some(figures['entries'], 'entry', 'entries')}, {some(figures['payment_files'], 'payment file')} with "
        f"{some(figures['payments'], 'payment')} of {_money(figures['paid'])}",
        highlight=False,
    )
    show_days(told["service_days"], console)
    show_nets(told["nets"], console)
    _breaks(told["breaks"], figures["waiting"], console, file)
    _reports(told, console, file)
    if told["three_way"]:
        show_three_way(told["three_way"], console, file)


def _money(sen: int) -> str:
    return display(Sen(sen))


def show_days(days: list[dict[str, Any]], console: Console) -> None:
    """The window's transfers by service day."""
    made = titled("\nThe window, by service day", "service day", "transfer", "count", "sum", words=2, gap=3)
    for one in days:
        day = f"{one['service_day']} (late)" if one["late"] else one["service_day"]
        made.add_row(day, one["kind"], str(one["transfers"]), _money(one["amount"]))
    console.print(made)


def show_nets(nets: list[dict[str, Any]], console: Console) -> None:
    """The multilateral net."""
    made = titled("\nThe banks' net", "bank", "others owe it", "it owes", "net", gap=3)
    for one in nets:
        made.add_row(one["bank"], _money(one["owed"]), _money(one["owes"]), _money(one["net"]))
    made.add_section()
    made.add_row("sum", "", "", _money(sum(one["net"] for one in nets)))
    console.print(made)


def _more(count: int, shown: int, console: Console, file: str) -> None:
    """That a list goes on, and where."""
    if count > shown:
        console.print(f"  … {count - shown} more, see {file or '--json'}", highlight=False, soft_wrap=True)


def _reports(told: dict[str, Any], console: Console, file: str) -> None:
    """What banks did not pay, and reports of theirs that could not be used."""
    rejected, refused = told["rejected"], told["reports_refused"]
    if rejected:
        console.print(
            f"\n[red]{some(len(rejected), 'payment')} rejected by the bank[/red]; none is sent again by itself"
        )
    for one in rejected[:_NAMED_SHOWN]:
        console.print(f"  {one['reference']}: {_money(one['amount'])}, {one['reason']}", highlight=False)
    _more(len(rejected), _NAMED_SHOWN, console, file)
    for one in refused[:_NAMED_SHOWN]:
        console.print(f"  [red]report {one['name']} refused[/red]: {one['reason']}", highlight=False)
    _more(len(refused), _NAMED_SHOWN, console, file)


def _breaks(breaks: list[dict[str, Any]], waiting: int, console: Console, file: str) -> None:
    if breaks:
        made = titled(
            f"\n{some(len(breaks), 'break')} to look at",
            "id",
            "reason",
            "bank",
            "evidence",
            "difference",
            words=4,
            gap=3,
        )
        for one in breaks[:_BREAKS_SHOWN]:
            made.add_row(one["id"], one["reason"], one["bank"], one["evidence"], _money(one["difference"]))
        console.print(made)
        _more(len(breaks), _BREAKS_SHOWN, console, file)
    if waiting:
        console.print(
            f"\n{some(waiting, 'expected movement')} without a bank's statement so far", highlight=False
        )


def show_three_way(checks: list[dict[str, Any]], console: Console, file: str = "") -> None:
    """The three-way report: each figure, and what explains it."""
    made = titled(
        "\nThree ways",
        "",
        "what",
        "figure that must be zero",
        "over",
        "figure",
        "unexplained",
        words=3,
        gap=3,
    )
    for one in checks:
        sen = one["unit"] == "sen"
        figures = [_money(value) if sen else str(value) for value in (one["figure"], one["unexplained"])]
        made.add_row(_mark(one), one["side"], one["name"], str(one["checked"]), *figures)
    console.print(made)
    for one in checks:
        if one["unexplained"] and one["text"]:
            console.print(f"  [red]{one['name']}[/red]: {_short(one['text'])}", highlight=False)
        _explained(one, console, file)


def _explained(check: dict[str, Any], console: Console, file: str) -> None:
    """What explains a figure: the largest parts first."""
    if not check["named"]:
        return
    console.print(f"  {check['name']}: {some(len(check['named']), 'explanation')}", highlight=False)
    largest = sorted(check["named"], key=lambda named: -abs(named["figure"]))
    for named in largest[:_NAMED_SHOWN]:
        console.print(f"    {named['name']}: {_short(named['text'])}", highlight=False)
    _more(len(largest), _NAMED_SHOWN, console, file)


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}…"


def _mark(check: dict[str, Any]) -> str:
    if check["unexplained"]:
        return "[red]look[/red]"
    return "[yellow]explained[/yellow]" if check["figure"] else "[green]zero[/green]"
