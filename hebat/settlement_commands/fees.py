"""`hebat settlement fees`: what merchants pay, by class and date: the shipped table, and a city's own rates beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hebat.errors import InputRefused
from hebat.settlement_commands.place import (
    AuthorOption,
    DataOption,
    JsonOption,
    OnDayOption,
    ReasonOption,
    city_database,
    day_or_today,
    show_table,
    tell,
)
from keys.clock import SystemClock
from keys.money import Sen, display, plain

if TYPE_CHECKING:
    from settlement.fee_book import Change
    from settlement.fees import Rate

fees_app = typer.Typer(help="Fees of merchants: rates by class, as dated rows.", no_args_is_help=True)

FILE_BYTES_MAX: Final = 1_000_000
FileArgument = Annotated[
    Path, typer.Argument(help="CSV: class, valid_from, percent, fixed, free_up_to, minimum, maximum.")
]


@fees_app.command()
def show(data: DataOption, on: OnDayOption = None, as_json: JsonOption = False) -> None:
    """Show what each class pays on a day: amounts in rupiah."""
    from settlement.errors import FeeUnknown  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from settlement.fee_book import city_fees  # noqa: PLC0415
    from settlement.participants import MerchantClass  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    day = day_or_today(on)
    with city_database(data) as database:
        table = city_fees(Rulebook(database))
    told = []
    for kind in MerchantClass:
        try:
            told.append(_told(table.rate(kind, day)))
        except FeeUnknown:
            continue
    if as_json:
        tell(told)
        return
    rows = [
        [
            one["class"],
            f"{one['percent']} %",
            *(display(Sen(one[f"{name}_sen"])) for name in _SUMS),
            one["since"],
        ]
        for one in told
    ]
    columns = ["class", "percent", "fixed", "free up to", "minimum", "maximum", "since"]
    show_table(columns, rows, right=columns[1:-1])


@fees_app.command()
def check(file: FileArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Say what a city's own table would change, and change nothing."""
    with city_database(data) as database:
        found = _book(database).checked(_text(file))
    _say(found, as_json=as_json)


@fees_app.command("import")
def import_(
    file: FileArgument,
    data: DataOption,
    author: AuthorOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Keep a city's own table: its rates go before the shipped ones. Rates that a closed window was settled with stay as they were."""
    with city_database(data) as database:
        page, found = _book(database).bring(_text(file), author=author, reason=reason, at=SystemClock().now())
    _say(found, as_json=as_json)
    if not as_json:
        typer.echo(f"The city's fee table: version {page.version}, by {page.author}.")


_SUMS: Final = ("fixed", "free_up_to", "minimum", "maximum")


def _book(database: Any) -> Any:
    from settlement.fee_book import FeeBook  # noqa: PLC0415  as above
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    return FeeBook(database, Rulebook(database))


def _text(file: Path) -> str:
    if not file.is_file():
        raise InputRefused(f"there is no file {file}")
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InputRefused(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputRefused(
            f"{file.name} is no UTF-8 text at byte {error.start}: save it as CSV UTF-8"
        ) from None


def _told(rate: Rate) -> dict[str, Any]:
    return {
        "class": rate.merchant_class.value, "percent": plain(Sen(rate.basis_points)), "since": rate.valid_from.isoformat(),
        **{f"{name}_sen": getattr(rate, name) for name in _SUMS},
    }  # fmt: skip


def _say(found: list[Change], *, as_json: bool) -> None:
    told = [
        {
            "class": one.merchant_class.value, "from": one.day.isoformat(),
            "before": None if one.before is None else _told(one.before), "now": None if one.now is None else _told(one.now),
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        tell(told)
        return
    for one in found:
        typer.echo(f"{one.merchant_class.value} from {one.day}: {_words(one.before)} -> {_words(one.now)}")
    typer.echo(f"{len(found)} rates change." if found else "Nothing changes.")


def _words(rate: Rate | None) -> str:
    if rate is None:
        return "no rate"
    sums = [
        f"{name.replace('_', ' ')} {display(Sen(getattr(rate, name)))}"
        for name in _SUMS
        if getattr(rate, name)
    ]
    return ", ".join([f"{plain(Sen(rate.basis_points))} %", *sums])
