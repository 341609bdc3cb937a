"""Cards pulled away at every exchange: a city with a real ledger, terminals of every kind, and what must hold afterwards.

The terminals speak to the real intake through an in-process transport; their outboxes are files, and a restart reads what a kill would leave.
"""

from __future__ import annotations

import shutil
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import httpx2

from card import inspecting, purse
from card.layout import Concession, TapKind
from hebat import laws
from hebat.demo import town
from hebat.fleet import Post
from hebat.folder import Folder
from keys.clock import UnixMs, day_of
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from keys.ledgervault import LedgerVault
from keys.money import Rupiah, sen_of
from keys.vault import Role
from ledger.chart import PARTITIONS, AccountId, Code, Partition, account_id, split
from ledger.chart import purse as purse_account
from ledger.errors import LedgerError
from ledger.intake import store
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from ledger.problems import problem_of
from terminals.fares import TRANS_SEMARANG_2022, Place
from terminals.outbox import Outbox
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link
from tests.ledger.desk import DAY, open_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from card.layout import LogRecord
    from card.virtual import VirtualCard
    from hebat.issuing import Issued
    from hebat.wiring import City
    from ledger.intake.quarantine.store import ExceptionRow, QuarantineRow
    from terminals.tap import Outcome
    from tests.ledger.desk import Desk

    Act = Callable[[Terminal, VirtualCard], Outcome]

VALUE: Final = Rupiah(50_000)
TAPS_MAX: Final = 3
KEYS: Final = {
    TerminalRole.VALIDATOR: (Role.DEBIT,),
    TerminalRole.CONDUCTOR: (Role.DEBIT, Role.READ),
    TerminalRole.MERCHANT: (Role.DEBIT,),
    TerminalRole.KIOSK: (Role.READ,),
}
BUSES: Final = tuple(Post(1001 + n, TerminalRole.VALIDATOR, town.OPERATORS[0]) for n in range(3))
TILLS: Final = tuple(Post(2001 + n, TerminalRole.MERCHANT, 502) for n in range(3))
KIOSKS: Final = tuple(Post(3001 + n, TerminalRole.KIOSK, town.AGENT) for n in range(3))
HANDHELD: Final = Post(1101, TerminalRole.CONDUCTOR, town.OPERATORS[0])
COUNTER: Final = Post(3900, TerminalRole.KIOSK, town.AGENT)
"""Where cards get their first value."""
PARTIES: Final = (
    (Code.OPERATOR_PAYABLE, BUSES[0].owner),
    (Code.MERCHANT_PAYABLE, TILLS[0].owner),
    (Code.AGENT_CASH, COUNTER.owner),
)


@dataclass(frozen=True, slots=True)
class Totals:
    """The books in one look, in sen: all purses, what parties are owed, cash at agents, what is held."""

    purses: int
    payable: int
    cash: int
    held: int


@dataclass
class Rig:
    """An open city, its terminals by number, and how many records got a receipt."""

    folder: Path
    terminals: dict[int, Terminal] = field(default_factory=dict)
    cards: list[Issued] = field(default_factory=list)
    receipted: int = 0
    restarts: int = 0

    def __post_init__(self) -> None:
        self.scene = open_scene(Folder(self.folder / "city"), fresh=True)
        self.city, self.clock = self.scene.city, self.scene.clock
        self._purses: dict[int, list[AccountId]] = {}
        self._disks: dict[int, Path] = {}
        self._identities: dict[int, TerminalIdentity] = {}

    def close(self) -> None:
        """Switch everything off."""
        for terminal in self.terminals.values():
            terminal.__exit__(None, None, None)
        self.city.__exit__(None, None, None)

    @cached_property
    def other_desk(self) -> City:
        """The same city at another desk, with its keys opened there."""
        desk = copy(self.city)
        desk.vault = LedgerVault.open(self.city.folder.vault, self.city.folder.passphrase())
        return desk

    def terminal(self, post: Post) -> Terminal:
        """A terminal, enrolled when it is first asked for."""
        if post.number not in self.terminals:
            self._enrol(post)
        return self.terminals[post.number]

    def _enrol(self, post: Post) -> None:
        disk = self.folder / f"terminal-{post.number}"
        identity = TerminalIdentity(disk)
        pem = self.city.authority.enrol(identity.request(), post.number, post.role, post.owner)
        self.city.registry.add_terminal(read_certificate(pem, self.city.root, self.clock.now()))
        self.city.vault.subset(disk / "device.vault", "x", KEYS[post.role], 16)
        self._identities[post.number], self._disks[post.number] = identity, disk
        self.terminals[post.number] = self._switched_on(post.number)

    def _switched_on(self, number: int) -> Terminal:
        vault = LedgerVault.open(self.folder / f"terminal-{number}" / "device.vault", "x")
        client = httpx2.Client(base_url="http://ledger", transport=httpx2.MockTransport(self._answer))
        key = self.city.vault.public_key(LEDGER_LABEL)
        link = Link(client, number, self._identities[number].sign, key, self.clock, attempts=1)
        outbox = Outbox(self._disks[number] / "outbox.db")
        return Terminal(Parts(number, outbox, vault, link, self.clock, TRANS_SEMARANG_2022))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        try:
            if request.url.path in {"/v1/loads", "/v1/locks", "/v1/refunds"}:
                return httpx2.Response(200, json=self.city.desk.begin(body).as_json())
            if request.url.path == "/v1/shifts":
                return httpx2.Response(200, json=self.city.shifts.figures(body).as_json())
            if request.url.path == "/v1/loads/step":
                return httpx2.Response(200, json=self.city.desk.step(body).as_json())
            return httpx2.Response(200, json=self.city.intake.receive(body).as_json())
        except LedgerError as error:
            problem = problem_of(error)
            return httpx2.Response(problem.status, json=problem.as_json())

    def restart(self, number: int) -> None:
        """Kill a terminal, and start it on what its disk held at that moment: nothing of it was closed."""
        before, self.restarts = self._disks[number], self.restarts + 1
        after = self._disks[number] = self.folder / f"terminal-{number}-{self.restarts}"
        after.mkdir()
        for name in ("outbox.db", "outbox.db-wal"):
            shutil.copy(before / name, after)
        self.terminals[number].__exit__(None, None, None)
        self.terminals[number] = self._switched_on(number)

    def wait(self, seconds: int) -> None:
        """Let the story's time pass."""
        self.clock.move_to(UnixMs(self.clock.now() + 1000 * seconds))

    def loaded(self, count: int, value: Rupiah = VALUE) -> Iterator[Issued]:
        """Fresh cards with value from the counter, in the books."""
        made = []
        for _ in range(count):
            self.scene.serial += 1
            issued = self.scene.issuer.issue(
                9, self.scene.serial, Concession.GENERAL, day_of(DAY), registered=False
            )
            made.append(issued)
        if made:
            self.scene.issuer.register(made)
        return self.with_value(made, value)

    def with_value(self, made: list[Issued], value: Rupiah = VALUE) -> Iterator[Issued]:
        """Cards that the ledger knows, with value from the counter: in one signed batch, for loads themselves are torn elsewhere."""
        self.cards += made
        for account in map(account_of, made):
            self._purses.setdefault(split(account).partition, []).append(account)
        for issued in made:
            self._counter.tap(issued, TapKind.LOAD, value)
            issued.chip.leave_field()
        if made:
            self.receipted += len(self._counter.send().results)
        return iter(made)

    @cached_property
    def _counter(self) -> Desk:
        return self.scene.desk(COUNTER.number, COUNTER.role, COUNTER.owner)

    def upload(self, *posts: Post) -> None:
        """End the shifts of some terminals, one after the other."""
        for post in (post for post in posts if post.number in self.terminals):
            self.receipted += self.terminal(post).close_shift().sent

    def totals(self, card: Issued | None = None) -> Totals:
        """The books in one look: of a card's partition, or whole."""
        whole = range(PARTITIONS) if card is None else [split(account_of(card)).partition]
        mine = [self.net(account) for n in whole for account in self._purses.get(n, ())]
        parties = [[account_id(code, Partition(n), owner) for n in whole] for code, owner in PARTIES]
        operator, merchant, cash = (sum(map(self.net, accounts)) for accounts in parties)
        held = sum(map(self.held, self.cards if card is None else [card]))
        return Totals(sum(mine), operator + merchant, cash, held)

    def net(self, account: AccountId) -> int:
        """An account's balance by its normal side, in sen."""
        return self.city.ledger.balance(account).net(account)

    def shadow(self, card: Issued) -> int:
        """What the books say that a card holds, in sen."""
        return self.net(account_of(card))

    def held(self, card: Issued) -> int:
        """What is held for a card and neither posted nor voided, in sen."""
        balance = self.city.ledger.balance(account_of(card))
        return balance.credits_pending + balance.debits_pending

    def in_books(self, card: Issued) -> dict[int, tuple[TapKind, int, int, int]]:
        """A card's transactions in the books, by counter: kind, amount (sen), terminal, sequence."""
        known = self.city.registry.card(card.uid)
        assert known is not None
        with self.city.ledger.database.transaction() as connection:
            rows = store.taps_of(connection, known.partition, card.uid, 100)
        return {row.tmc: (TapKind(row.kind), abs(row.amount), row.terminal, row.sequence) for row in rows}

    def on_chip(self, card: Issued) -> dict[int, LogRecord]:
        """A card's transactions by its own log, by counter; the field is left before and after."""
        card.chip.leave_field()
        newest = purse.seen_now(card.chip).tmc
        records = inspecting.last_records(card.chip, self.city.vault)
        card.chip.leave_field()
        return {newest - age: record for age, record in enumerate(records)}

    def waiting(self, card: Issued) -> list[QuarantineRow]:
        """A card's records in quarantine that nobody has settled."""
        with self.city.ledger.database.transaction() as connection:
            return [
                row for row in quarantine.read_quarantine(connection, only_open=True) if row.uid == card.uid
            ]

    def exceptions(self) -> list[ExceptionRow]:
        """Everything that somebody must explain, but for the counter's loads, which asked nobody before."""
        with self.city.ledger.database.transaction() as connection:
            rows = quarantine.read_exceptions(connection)
        return [
            row
            for row in rows
            if (row.terminal, row.kind) != (COUNTER.number, ExceptionKind.LOAD_UNAUTHORISED)
        ]


def account_of(card: Issued) -> AccountId:
    """A card's purse in the books."""
    return purse_account(card.identity.card_number)


def place_of(terminal: Terminal, stop: int) -> Place:
    """A stop on route 1, in the terminal's own vehicle."""
    return Place("1", f"Halte {stop}", 1, stop, terminal.number)


def fare(terminal: Terminal, chip: VirtualCard) -> Outcome:
    """A flat fare."""
    return terminal.fare(chip, place_of(terminal, 7))


def tap_in(terminal: Terminal, chip: VirtualCard) -> Outcome:
    """The beginning of a ride."""
    return terminal.tap_in(chip, place_of(terminal, 7))


def tap_out(terminal: Terminal, chip: VirtualCard) -> Outcome:
    """The end of a ride, two stops on."""
    return terminal.tap_out(chip, place_of(terminal, 9))


def sale(terminal: Terminal, chip: VirtualCard) -> Outcome:
    """A sale."""
    return terminal.sale(chip, Rupiah(12_000))


def load(terminal: Terminal, chip: VirtualCard) -> Outcome:
    """A cash load."""
    return terminal.load(chip, Rupiah(20_000))


def check_laws(rig: Rig) -> None:
    """All eleven laws, over all cards of the city, and the whole sum: what was loaded is on cards or owed to somebody."""
    found = laws.look(laws.Evidence(rig.city, rig.cards, rig.receipted))
    assert [str(finding) for finding in found if not finding.held] == []
    books = rig.totals()
    assert books.cash == books.purses + books.payable
    assert books.held == 0
    assert books.purses == sum(sen_of(card.chip_balance) for card in rig.cards)
