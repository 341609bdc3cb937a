"""`hebat saving` and notices with real processes: a simulated bank on a socket, a city of its own, a holder's account between them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from card.layout import Concession
from hebat.application import application
from hebat.configurations import configuration_of
from hebat.folder import Folder
from hebat.issuing import Issuer
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys.clock import SystemClock, service_day
from keys.money import Sen
from ledger.cardholder.reading import wallet
from ledger.cardholder.savings import Consent, Progress
from tests.founding import found
from tests.hebat.test_bank_commands import Bank, run
from tests.ports import held_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

SAVER = "3000000003"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Folder, str, Bank]]:
    """A city with one card and a line to one bank."""
    folder, clock = Folder(tmp_path_factory.mktemp("city") / "city"), SystemClock()
    found(folder, clock, "demo")
    with City(folder, configuration_of(folder), clock) as city:
        issuer = Issuer(city, 5)
        card = issuer.issue(9, 1, Concession.GENERAL, service_day(clock.now()), registered=True)
        issuer.register([card])
    with held_ports() as port:
        bank = Bank(tmp_path_factory.mktemp("bank"), port)
        paper = ("--bank-key", bank.folder / "bank.pem")
        bank.make(folder.root, "--title", "Bank Negara Indonesia", "--service-id", "   88010", *paper)
        yield folder, str(card.identity.card_number), bank


def saving(folder: Folder, command: str, card: str, *more: str, code: int = 0) -> str:
    return run(command, card, "--data", folder.root, *more, code=code, room="saving")


def told(folder: Folder, command: str, card: str, *more: str) -> dict[str, list[dict[str, object]]]:
    read: dict[str, list[dict[str, object]]] = json.loads(saving(folder, command, card, "--json", *more))
    return read


def test_a_holders_account_is_linked_used_and_ended(place: tuple[Folder, str, Bank]) -> None:
    folder, card, bank = place
    with bank.running("--faults", "lost-after=1"):
        assert "agreed to balance, top-up, sweep; held Rp5.000.000" in saving(
            folder, "link", card, "--bank", "sim", "--code", f"consent-{SAVER}"
        )
        unknown = told(folder, "top-up", card, "--rupiah", "25000", "--key", "first")
        assert [one["progress"] for one in unknown["orders"]] == ["open"]
    with bank.running():
        looked = told(folder, "look", card)
        assert [(one["progress"], one["sen"]) for one in looked["orders"]] == [("done", 2_500_000)]
        assert looked["links"][0]["mirror"]["sen"] == 497_500_000  # type: ignore[index]
        assert (
            told(folder, "top-up", card, "--rupiah", "25000", "--key", "first")["orders"] == looked["orders"]
        )
        said = saving(folder, "sweep", card, "--rupiah", "5000", "--key", "second")
        assert "-Rp5.000 at Bank Negara Indonesia is done" in said
        assert bank.balance(SAVER) == 498_000_000
        assert "revoked since" in saving(folder, "revoke", card)
        assert saving(folder, "number", card, "--bank", "sim").rstrip("\n") == f"   88010{card}"
    for mistake in (["sweep", card, "--rupiah", "5000", "--key", "third"], ["show", "9360000000000000"]):
        said = saving(folder, mistake[0], *mistake[1:], code=2)
        assert (said.startswith("hebat: "), said.count("\n")) == (True, 1)


def test_an_order_that_no_bank_heard_of_is_sent_by_bank_resume_with_what_is_sealed(
    place: tuple[Folder, str, Bank],
) -> None:
    folder, card, bank = place
    with bank.running():
        saving(folder, "link", card, "--bank", "sim", "--code", f"consent-{SAVER}")
    before = bank.balance(SAVER)
    said = told(folder, "top-up", card, "--rupiah", "15000", "--key", "unheard")
    assert [one["sen"] for one in said["orders"] if one["progress"] == "open"] == [1_500_000]
    with bank.running():
        assert "Rp15.000 at sim is done" in run("resume", "--data", folder.root)
        assert bank.balance(SAVER) == before - 1_500_000
        saving(folder, "revoke", card)


def test_a_city_that_is_served_asks_by_itself_after_what_a_bank_does_late(
    place: tuple[Folder, str, Bank],
) -> None:
    folder, number, bank = place
    before = bank.balance(SAVER)
    with (
        bank.running("--faults", "under-way=1", "--late-seconds", "1.5"),
        City(folder, configuration_of(folder), SystemClock()) as city,
    ):
        assert city.banking is not None
        card, savings = city.registry.card_numbered(int(number)), city.banking.savings
        assert card is not None
        savings.link(card, "sim", f"consent-{SAVER}", [Consent.TOP_UP])
        ordinal = savings.of(card)[0].ordinal
        with city.banking.asking(first_ms=200):
            order = savings.move(card, ordinal, Sen(700_000), "late")
            assert order.progress is Progress.OPEN
            until = time.monotonic() + 60
            while savings.orders(card)[0].progress is Progress.OPEN and time.monotonic() < until:
                time.sleep(0.1)
        assert savings.orders(card)[0].progress is Progress.DONE
        savings.revoke(card, ordinal)
    assert (bank.moved(order.reference), bank.balance(SAVER)) == (1, before - 700_000)


def test_a_payment_into_a_virtual_account_is_in_the_wallet_once(place: tuple[Folder, str, Bank]) -> None:
    folder, card, bank = place
    with bank.running():
        number = saving(folder, "number", card, "--bank", "sim").rstrip("\n")
    before = bank.balance(SAVER)
    order = ["--number", number, "--payer", SAVER, "--rupiah", "40000", "--request", "VA-1"]
    assert "did not hear of it" in run(
        "pay-va", bank.folder, *order, "--notify", "http://127.0.0.1:9/banks/sim"
    )
    with (
        City(folder, configuration_of(folder), SystemClock()) as city,
        LoopbackServer(application(city)) as server,
    ):
        known = city.registry.card_numbered(int(card))
        assert known is not None
        holds = city.ledger.balance(wallet(known)).credits_posted
        for _ in range(2):
            assert "2002500" in run("pay-va", bank.folder, *order, "--notify", f"{server.address}/banks/sim")
        assert "4012500" in run("pay-va", bank.folder, *order, "--notify", f"{server.address}/banks/nobody")
        assert city.ledger.balance(wallet(known)).credits_posted == holds + 4_000_000
    assert bank.balance(SAVER) == before - 4_000_000


def test_a_load_is_ordered_listed_and_taken_back_from_a_shell(place: tuple[Folder, str, Bank]) -> None:
    folder, card, bank = place
    with bank.running():
        saving(folder, "link", card, "--bank", "sim", "--code", f"consent-{SAVER}")
        saving(folder, "top-up", card, "--rupiah", "10000", "--key", "loaded")
        saving(folder, "revoke", card)

    def loads(command: str, *more: str, code: int = 0) -> str:
        return run("loads", command, *more, "--data", folder.root, code=code, room="wallet")

    assert loads("list") == "No load waits.\n"
    with City(folder, configuration_of(folder), SystemClock()) as city:
        known = city.registry.card_numbered(int(card))
        assert known is not None
        account = wallet(known)
        held = city.ledger.balance(account)
    assert held.net(account) >= 1_000_000
    assert "Rp10.000 ordered" in loads("order", card, "--rupiah", "10000")
    (one,) = json.loads(loads("list", "--json"))
    assert (one["card"], one["sen"], one["fate"]) == (int(card), 1_000_000, "waiting")
    again = loads("order", card, "--rupiah", "10000", code=2)
    assert "a load waits for this card already" in again
    assert "the wallet has its money back" in loads("cancel", card)
    assert "no load waits" in loads("cancel", card, code=2)
    assert loads("list", "--card", card).endswith(", cancelled.\n")
    assert "no card 9360000900000006" in loads("list", "--card", "9360000900000006", code=2)
