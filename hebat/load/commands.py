"""`hebat load`: make a city to rehearse in, and drive its running server until it sheds load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hebat.errors import HebatError, InputRefused, LawBroken
from hebat.folder import Folder
from hebat.printed import WIDTH
from hebat.progress import Shown
from hebat.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.load.driving import Step
    from hebat.load.ladder import Found, Terms

load_app = typer.Typer(help="Rehearse a rush: how much a server bears, and what it does beyond.", no_args_is_help=True)  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]


@load_app.command()
def prepare(
    data: Annotated[Path, typer.Option("--data", help="A new folder: the city to rehearse in.")],
    cards: Annotated[int, typer.Option(min=1_000, max=200_000)] = 5_000,
    terminals: Annotated[
        int, typer.Option(min=2, max=2_000, help="Buses' validators, and tills: one in four.")
    ] = 256,
    batches: Annotated[int, typer.Option(min=1, max=2_000, help="Batches of each terminal.")] = 32,
    taps: Annotated[int, typer.Option(min=1, max=500, help="Taps of a batch, on average.")] = 20,
    database: Annotated[str, typer.Option(help="Its ledger's database (HEBAT_DATABASE_URL).")] = "",
) -> None:
    """Found a city of drawn keys, with cards and terminals whose batches are signed beforehand. It is no place for money."""
    from hebat.load.kit import Plan  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.load.kit import prepare as make  # noqa: PLC0415

    console = Console(stderr=True, highlight=False)
    total = terminals * batches
    with Shown(console).step(f"{total} batches signed", total) as done:
        make(Folder(data, database), Plan(cards, terminals, batches, taps), done)
    typer.echo(f"{data} is a city to rehearse in: serve it, then `hebat load run --data {data}`")


@load_app.command()
def run(
    data: Annotated[Path, typer.Option("--data", help="The city that was prepared.")],
    address: Annotated[
        str, typer.Option(help="Its server, http or https; without it, where `hebat serve` answers.")
    ] = "",
    ca: Annotated[
        Path | None,
        typer.Option(
            help="Certificates (PEM) that an https server is trusted by; without it, the machine's."
        ),
    ] = None,
    first: Annotated[
        float, typer.Option("--from", min=0.1, help="Batches a second that the ladder begins with.")
    ] = 20.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long each rate lasts.")] = 5.0,
    within: Annotated[
        float, typer.Option(min=0.001, help="Seconds within which 99 of 100 are to be answered.")
    ] = 1.0,
    picture: Annotated[Path | None, typer.Option(help="Latency histograms as SVG, to this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send batches at growing rates until the server does not keep up, then at twice the last one that it bore, then at half of it.

    Ends with 1 where a tap was lost or doubled, or the server did not shed load or did not recover, and with 2 where the batches did not suffice:
    what was seen until then is told all the same. The batches of a folder can be sent once.
    """
    from hebat.load.ladder import Terms  # noqa: PLC0415  as above

    console = Console(stderr=as_json, highlight=False, width=WIDTH)
    where, trusted = (address, ca) if address else _here(ca)
    terms = Terms(first, seconds, within)
    found, posted = _found(data, (where, trusted), terms, lambda step: console.print(_line(step)))
    if picture is not None:
        from hebat.load.picture import picture as drawn  # noqa: PLC0415  as above

        picture.write_text(drawn(_named(found), "Signed batches over HTTP: how soon they are answered"))
    told = _told(found, posted)
    if as_json:
        typer.echo(json.dumps(told, indent=1))
    else:
        _show(found, told, console)
    _judge(found, posted)


def _here(ca: Path | None) -> tuple[str, Path | None]:
    """Where `hebat serve` answers on this machine, and what it is trusted by: its own certificate, where it has one."""
    settings = read_settings()
    if not settings.tls_certificate:
        return f"http://127.0.0.1:{settings.port}", ca
    return f"https://127.0.0.1:{settings.port}", ca or Path(settings.tls_certificate)


def _found(
    data: Path, server: tuple[str, Path | None], terms: Terms, told: Callable[[Step], object]
) -> tuple[Found, float]:
    """What the ladder found, and how many taps the server says that it posted meanwhile."""
    import asyncio  # noqa: PLC0415  as above

    from hebat.load.driving import Fleet  # noqa: PLC0415  as above
    from hebat.load.kit import read  # noqa: PLC0415  as above
    from hebat.load.ladder import climb  # noqa: PLC0415  as above

    address, ca = server
    fleet = Fleet(address, read(data), ca=ca)
    before = _posted(address, ca)

    async def whole() -> Found:
        try:
            return await climb(fleet, terms, told)
        finally:
            await fleet.close()

    found = asyncio.run(whole())
    return found, _posted(address, ca) - before


def _line(step: Step) -> str:
    """What is said of a step as soon as it is over."""
    return (
        f"{step.rate:.0f} a second: {step.answered} of {step.due} batches answered, 99 of 100 within "
        f"{step.latency.percentile(99):.2f} s, {step.shed} times sent away"
    )


def _posted(address: str, ca: Path | None) -> float:
    """Taps that a server has posted since it started, by its metrics."""
    import httpx2  # noqa: PLC0415  as above

    from hebat.load.driving import trusting  # noqa: PLC0415  as above

    tls = trusting(address, ca)
    try:
        told = httpx2.get(f"{address}/metrics", timeout=30, verify=True if tls is None else tls).text
    except httpx2.TransportError as error:
        proof = "" if tls is None else f", or it does not prove who it is (--ca): {error}"
        raise InputRefused(
            f"no server answers at {address}{proof}: start it with `hebat serve --data DIR`"
        ) from None
    lines = [line for line in told.splitlines() if line.startswith('ledger_taps_total{result="posted"}')]
    if not lines:
        raise InputRefused(f"{address} shows no metrics of a ledger: name the server itself, not its proxy")
    return float(lines[0].rpartition(" ")[2])


def _named(found: Found) -> list[tuple[str, Step]]:
    """Each step with what it is."""
    from hebat.load.ladder import borne  # noqa: PLC0415  as above

    named = [("borne" if borne(one, found.terms) else "not borne", one) for one in found.ladder]
    after = [] if found.after is None else [("after", found.after)]
    return [*named, *(("beyond", one) for one in found.beyond), *after]


def _told(found: Found, posted: float) -> dict[str, Any]:
    from hebat.load.ladder import row  # noqa: PLC0415  as above

    return {
        "steps": [{"what": what, **row(one)} for what, one in _named(found)],
        "knee": None if found.knee is None else round(found.knee.rate, 1),
        "sheds": found.sheds, "recovers": found.recovers, "short": found.short, "posted": posted, "lost": found.lost(posted),
    }  # fmt: skip


def _show(found: Found, told: dict[str, Any], console: Console) -> None:
    table = Table(box=None, title="Batches a second, and how soon they were answered", title_justify="left")
    for name in (
        "rate",
        "what",
        "due",
        "answered",
        "taps/s",
        "50 of 100",
        "99 of 100",
        "slowest",
        "sent away",
    ):
        table.add_column(name, justify="left" if name == "what" else "right")
    for one in told["steps"]:
        times = [f"{one['latency_ms'][name]:,.0f} ms" for name in ("p50", "p99", "max")]
        table.add_row(
            f"{one['rate']:.0f}", one["what"], f"{one['due']}", f"{one['answered']}", f"{one['taps_a_second']:,}", *times, f"{one['shed']}"
        )  # fmt: skip
    console.print(table)
    if found.knee is not None:
        least = " at least" if found.short and not found.beyond else ""
        console.print(f"The knee:{least} {found.knee.rate:.0f} batches a second are borne.")
    console.print(f"{told['posted']:.0f} taps posted; lost or doubled: {told['lost']:.0f}.")


def _judge(found: Found, posted: float) -> None:
    if found.lost(posted):
        raise LawBroken(
            f"terminals and server differ by {found.lost(posted):.0f} taps: run `hebat ledger verify`"
        )
    if found.short:
        raise InputRefused(f"the rehearsal ended early: {found.short}")
    if found.knee is None:
        raise InputRefused("not even the first rate was borne: begin with a lower one (--from)")
    if not found.sheds:
        raise HebatError(
            "beyond the knee the server sent nobody away, or some got no answer: look at the steps"
        )
    if not found.recovers:
        raise HebatError("behind the overload half the knee's rate was not borne: look at the server's log")
