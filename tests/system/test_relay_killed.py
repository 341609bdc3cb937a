"""A ledger that dies by kill -9 in the middle of a load, at any message: after its next start the same card tells, once, and nothing stays held."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cbor2
import pytest

from card.batch import LOAD_CONTENT_TYPE
from card.far import carried
from card.layout import Concession
from hebat.application import application
from hebat.demo import town
from hebat.fleet import Post, enrol
from hebat.folder import Folder
from hebat.issuing import Issued, Issuer
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys.clock import SystemClock, day_of, local
from keys.money import Rupiah
from keys.rights import TerminalRole
from ledger.chart import purse
from terminals import loading
from terminals.opening import opened
from terminals.tap import Colour
from tests.founding import found
from tests.system.ready import Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from terminals.terminal import Terminal

KIOSK = Post(3001, TerminalRole.KIOSK, town.AGENT)
AMOUNT = Rupiah(20_000)
ROUND_TRIPS = 4
"""Messages of a load before its end; with the answers to the last one the ledger learns of the commit."""


@contextmanager
def city(folder: Folder) -> Iterator[City]:
    with City(folder, town.CONFIGURATION, SystemClock()) as made:
        yield made


@pytest.fixture
def cards(tmp_path: Path) -> list[Issued]:
    """A city with an enrolled kiosk, and cards to load."""
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    with city(folder) as made, LoopbackServer(application(made)) as server:
        issuer, today = Issuer(made, 1), day_of(local(made.clock.now()).date())
        issued = [
            issuer.issue(9, n, Concession.GENERAL, today, registered=False) for n in range(1, ROUND_TRIPS + 2)
        ]
        issuer.register(issued)
        enrol(made, KIOSK, server.address, made.configuration.tariffs[0]).__exit__(None, None, None)
    return issued


class Server:
    """`hebat serve` in a process of its own, started again after each kill."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        self._process = Started("serve", "--data", self._folder.root, "--port", "0", stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        return self._process.stdout.readline().split("/night")[0]

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()


def kiosk(folder: Folder, address: str) -> Terminal:
    return opened(
        folder.terminal(KIOSK.number), SystemClock(), address, town.CONFIGURATION.tariffs[0]
    ).terminal


def begun(terminal: Terminal, card: Issued, messages: int, *, acts: bool) -> None:
    """A load that goes so far; the card gets the last commands only where it `acts`, and its answers are never heard."""
    request, link = terminal.outbox.next_request(), terminal._parts.link
    payload = cbor2.dumps([card.chip.uid, AMOUNT, request, SystemClock().now()], canonical=True)
    step = loading._begun(link, "/v1/loads", payload, LOAD_CONTENT_TYPE, request)
    for _ in range(messages - 1):
        step = loading._next(link, step, carried(card.chip, step.apdus))
    if acts:
        carried(card.chip, step.apdus)
    card.chip.leave_field()


def test_a_ledger_killed_at_any_message_of_a_load_loads_once_and_holds_nothing(
    cards: list[Issued], tmp_path: Path
) -> None:
    folder = Folder(tmp_path / "city")
    every = [(messages, True) for messages in range(1, ROUND_TRIPS + 1)] + [(ROUND_TRIPS, False)]
    cases = every if os.environ.get("HEBAT_LONG") else every[-2:]
    for card, (messages, acts) in zip(cards, cases, strict=False):
        with Server(folder) as address, kiosk(folder, address) as terminal:
            begun(terminal, card, messages, acts=acts)
    cards = cards[: len(cases)]
    assert [card.chip_balance for card in cards[-2:]] == [AMOUNT, 0]
    with Server(folder) as address, kiosk(folder, address) as terminal:
        for card in cards:
            outcome = terminal.load(card.chip, AMOUNT)
            card.chip.leave_field()
            assert (outcome.colour, outcome.amount) == (Colour.GREEN, AMOUNT), outcome
    # The one that had landed was not loaded again.
    assert [card.chip_balance for card in cards] == [AMOUNT] * len(cases)
    with city(folder) as made:
        for card in cards:
            account = purse(card.identity.card_number)
            balance = made.ledger.balance(account)
            assert balance.net(account) == 100 * AMOUNT
            assert balance.credits_pending + balance.debits_pending == 0
