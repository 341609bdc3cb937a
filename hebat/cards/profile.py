"""Where a tap's time goes: every real flow on a virtual card, its exchanges, its bytes, and the time that a real card would take.

Air and chip are modelled (`card.airtime`); the terminal's share is measured, on the machine at hand (`hebat.cards.profiling`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from card.airtime import Link, Rate, cost_of
from card.chip_time import CHIP, work_of
from card.trace import name_of
from hebat import printed
from hebat.cards.profiling import RUNS, Flow, profile

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(as_json: bool, rate: Rate = Rate.KBIT_106, runs: int = RUNS, console: Console | None = None) -> None:
    """Print the profile of every flow, and of a fare exchange by exchange at `rate`; one JSON document with `as_json`."""
    screen = console or printed.console()
    flows = profile(runs)
    if as_json:
        document = {"rate": int(rate), "runs": runs, "flows": [flow.as_json(rate) for flow in flows]}
        screen.print(json.dumps(document, indent=1), soft_wrap=True, markup=False)
        return
    screen.print(_overview(flows))
    fare = next(flow for flow in flows if flow.name.startswith("fare"))
    screen.print(_detail(fare, rate))
    screen.print(
        "\nModelled: ISO/IEC 14443 frames and a chip's own time (* an assumption); a reader's firmware and USB "
        "come on top. Host: measured here.",
        highlight=False,
    )


def _overview(flows: list[Flow]) -> Table:
    rates = [f"{int(rate)} kbit/s" for rate in Rate]
    table = printed.titled("\nTaps, in milliseconds", "flow", "exchanges", "sent", "received", *rates, "host")
    for flow in flows:
        modelled = [f"{flow.cost(rate).total_ms:.1f}" for rate in Rate]
        sizes = (len(flow.exchanges), flow.sent, flow.received)
        table.add_row(flow.name, *map(str, sizes), *modelled, f"{flow.host_ms:.2f}")
    return table


def _detail(flow: Flow, rate: Rate) -> Table:
    title = f"\n{flow.name} at {int(rate)} kbit/s, in milliseconds"
    table = printed.titled(title, "exchange", "sent", "received", "air", "chip", "together")
    whole = flow.cost(rate)
    table.add_row("activation", "", "", f"{whole.activation_ms:.2f}", "", f"{whole.activation_ms:.2f}")
    for one in flow.exchanges:
        cost = cost_of(one, Link(rate))
        guess = "" if CHIP[work_of(one.apdu)].measured else "*"
        sizes = (str(len(one.apdu)), str(len(one.answer)))
        times = (f"{cost.air_ms:.2f}", f"{guess}{cost.chip_ms:.2f}", f"{cost.total_ms:.2f}")
        table.add_row(name_of(one.apdu), *sizes, *times)
    table.add_section()
    air = whole.activation_ms + whole.air_ms
    sums = (f"{air:.2f}", f"{whole.chip_ms:.2f}", f"{whole.total_ms:.2f}")
    table.add_row("sum", str(flow.sent), str(flow.received), *sums)
    return table
