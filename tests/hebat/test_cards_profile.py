"""The profile of every flow: what it counts, what it prints, and that a fare keeps to its budget."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from card.airtime import Rate
from hebat.cards.profile import show
from hebat.cards.profiling import UNCONFIRMED, Flow, profile

EXCHANGES = {
    "load": 11,
    "fare, flat": 12,
    "tap in": 11,
    "tap out": 12,
    "sale": 11,
}


@pytest.fixture(scope="module")
def flows() -> dict[str, Flow]:
    """Each flow, run once."""
    return {flow.name: flow for flow in profile(runs=1)}


def shown(*, as_json: bool, rate: Rate = Rate.KBIT_106) -> str:
    screen = io.StringIO()
    show(as_json, rate, runs=1, console=Console(file=screen, width=118, highlight=False))
    return screen.getvalue()


def test_every_flow_takes_the_exchanges_that_it_says(flows: dict[str, Flow]) -> None:
    assert {name: len(flows[name].exchanges) for name in EXCHANGES} == EXCHANGES
    assert {"personalise", "balance and log", UNCONFIRMED} < set(flows)


def test_no_flow_ended_in_an_error(flows: dict[str, Flow]) -> None:
    """The last answer of each is a success; what a torn tap left is settled without a second debit."""
    assert {name for name, flow in flows.items() if flow.exchanges[-1].answer[-2:] != b"\x91\x00"} == set()
    assert all(one.apdu[1] != 0xDC for one in flows[UNCONFIRMED].exchanges)


def test_every_tap_is_under_150_ms_at_the_slowest_rate(flows: dict[str, Flow]) -> None:
    taps = {name: flow.cost(Rate.KBIT_106).total_ms for name, flow in flows.items() if name != "personalise"}
    assert {name for name, ms in taps.items() if ms >= 150} == set()


def test_a_faster_rate_shortens_every_flow(flows: dict[str, Flow]) -> None:
    for flow in flows.values():
        totals = [flow.cost(rate).total_ms for rate in Rate]
        assert totals == sorted(totals, reverse=True)


def test_the_document_counts_what_was_exchanged(flows: dict[str, Flow]) -> None:
    document = flows["fare, flat"].as_json(Rate.KBIT_106)
    assert document["exchanges"] == len(document["steps"]) == 12
    assert document["sent"] == sum(step["sent"] for step in document["steps"])
    assert document["received"] == sum(step["received"] for step in document["steps"])
    assert set(document["modelled_ms"]) == {"106", "212", "424", "848"}


def test_the_json_is_one_document_with_every_flow() -> None:
    document = json.loads(shown(as_json=True, rate=Rate.KBIT_424))
    assert document["rate"] == 424
    assert {"fare, flat", "load", UNCONFIRMED} < {flow["flow"] for flow in document["flows"]}
    assert all(flow["host_ms"] > 0 for flow in document["flows"])


def test_the_table_has_a_row_for_every_flow_and_every_exchange_of_a_fare() -> None:
    told = shown(as_json=False)
    for row in (*EXCHANGES, UNCONFIRMED, "COMMIT_READER_ID", "COMMIT_TRANSACTION", "activation"):
        assert row in told
    assert "fare, flat at 106 kbit/s" in told
