"""What a file of trips became: rows by fate, rupiah by issuer, and whether the books agree to the rupiah."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hebat.printed import titled
from keys.money import Sen, display

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day: rows of the file by fate and by verdict on their fares, and the process's memory after its night (MiB).

    Fares in sen: `filed` as the file says them, `expected` as the feed's tariff does, `posted` as they stand in the journal.
    """

    day: str
    rows: int
    fates: dict[str, int]
    verdicts: dict[str, int]
    filed: Sen
    expected: Sen
    posted: Sen
    new_cards: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class IssuerLine:
    """One issuer bank: what it paid the operator, what its cards were loaded with, lines that its statements proved."""

    bank: str
    fares: Sen
    loads: Sen
    matched: int


@dataclass(frozen=True, slots=True)
class Report:
    """A run over a file; money in sen."""

    file: str
    days: tuple[DayLine, ...]
    issuers: tuple[IssuerLine, ...]
    cards: int
    stops_in_feed: int
    stops_of_the_file: int
    records: int
    breaks: int
    provisional_expected: Sen
    provisional: Sen
    laws: tuple[tuple[int, str, bool, str], ...]
    head: str
    seconds: float

    @property
    def expected(self) -> Sen:
        """Fares by the feed's tariff."""
        return Sen(sum(line.expected for line in self.days))

    @property
    def filed(self) -> Sen:
        """Fares as the file says them."""
        return Sen(sum(line.filed for line in self.days))

    @property
    def posted(self) -> Sen:
        """Fares in the journal."""
        return Sen(sum(line.posted for line in self.days))

    @property
    def sound(self) -> bool:
        """True where rules and journal agree day by day and on open rides, all statements matched, and every law held."""
        agree = all(line.expected == line.posted for line in self.days)
        agree = agree and self.provisional_expected == self.provisional
        return agree and not self.breaks and all(held for _, _, held, _ in self.laws)

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            **asdict(self),
            "filed": self.filed,
            "expected": self.expected,
            "posted": self.posted,
            "sound": self.sound,
        }


def show(report: Report, console: Console) -> None:
    """Print the report."""
    for table in (_days(report), _verdicts(report), _issuers(report), _laws(report)):
        console.print(table)
    console.print(
        f"\n{report.cards} cards, {report.records} records uploaded, {report.stops_in_feed} stops in the feed"
        f" ({report.stops_of_the_file} more taken from the file), {report.breaks} breaks, chain head {report.head}"
    )
    console.print(
        f"Rides still open at the end: {display(report.provisional)} provisional in the journal,"
        f" {display(report.provisional_expected)} by the rules"
    )
    verdict = "[green]balances to the rupiah[/green]" if report.sound else "[red]DOES NOT BALANCE[/red]"
    console.print(f"{verdict}, {report.seconds} s")


def _days(report: Report) -> Table:
    """Each service day: what became of its rows, and its fares three ways."""
    names = sorted({name for line in report.days for name in line.fates})
    fares = ("fares in the file", "fares by the rules", "fares in the journal")
    table = titled(f"\n{report.file}", "service day", "rows", *names, *fares)
    for line in report.days:
        counts = (str(line.fates.get(name, 0)) for name in names)
        table.add_row(
            line.day, str(line.rows), *counts, *map(display, (line.filed, line.expected, line.posted))
        )
    table.add_section()
    rows = sum(line.rows for line in report.days)
    totals = [sum(line.fates.get(name, 0) for line in report.days) for name in names]
    sums = map(display, (report.filed, report.expected, report.posted))
    table.add_row("sum", str(rows), *map(str, totals), *sums)
    return table


def _verdicts(report: Report) -> Table:
    table = titled("\nFares by the rules against the file", "verdict", "rows")
    counted = sum((Counter(line.verdicts) for line in report.days), Counter[str]())
    for name, count in counted.most_common():
        table.add_row(name, str(count))
    return table


def _issuers(report: Report) -> Table:
    figures = ("paid to the operator", "loaded onto cards", "statement lines matched")
    table = titled("\nIssuers", "bank", *figures)
    for issuer in report.issuers:
        table.add_row(issuer.bank, display(issuer.fares), display(issuer.loads), str(issuer.matched))
    return table


def _laws(report: Report) -> Table:
    table = titled("\nThe laws", "", "law", "figure", words=3)
    for number, name, held, figure in report.laws:
        table.add_row("[green]held[/green]" if held else "[red]BROKEN[/red]", f"{number} {name}", figure)
    return table
