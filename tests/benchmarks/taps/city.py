"""A city on a PostgreSQL with fsync on, its cards and terminals, and their signed batches made beforehand."""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from card.batch import CONTENT_TYPE, FIRST_DIGEST, Context, digest, encode_batch
from card.layout import TapKind
from hebat.demo import town
from hebat.founding import found
from hebat.wiring import City
from keys import envelope
from keys.clock import SystemClock, UnixMs
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from keys.money import Rupiah
from keys.rights import LIMIT_MAX, Rights
from ledger.chart import AccountId, Code, account_id, purse, split
from ledger.transfer import ROW, Kind
from tests.ledger.crash.cluster import Cluster, _drop
from tests.ledger.crash.nursery import DYING
from tests.ledger.streams import encoded, holders

if TYPE_CHECKING:
    from hebat.folder import Folder
    from tests.ledger.streams import Holder

OPERATOR: Final = town.OPERATORS[0]
TARIFF: Final = town.CONFIGURATION.tariffs[0].version
STOPS: Final = ("Simpang Lima", "Terminal Mangkang", "Imam Bonjol", "Elizabeth")


class BenchCluster(Cluster):
    """The crash tests' PostgreSQL with the memory of a server: fsync and synchronous_commit stay on."""

    SETTINGS: Final[dict[str, str]] = {
        "listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "max_connections": "60", "shared_buffers": "256MB",
        "max_wal_size": "8GB", "checkpoint_timeout": "30min", "io_method": "sync", "autovacuum": "on",
    }  # fmt: skip

    def start(self) -> None:
        """Start it, and return once it answers."""
        settings = self.SETTINGS | {"unix_socket_directories": str(self.folder)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._postmaster = subprocess.Popen(
                [*DYING, str(self._programs / "postgres"), "-D", str(self.data), *options],
                user=_drop(), cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        self.await_answer()

    @property
    def pid(self) -> int:
        """The postmaster."""
        assert self._postmaster is not None
        return self._postmaster.pid


@dataclass(frozen=True, slots=True)
class Rush:
    """How much is sent: cards, terminals, batches of each, taps of each batch."""

    cards: int = 20_000
    terminals: int = 64
    batches: int = 8
    taps: int = 500

    @property
    def total(self) -> int:
        """All taps."""
        return self.terminals * self.batches * self.taps


def prepared(folder: Folder, rush: Rush) -> list[list[bytes]]:
    """Found the city, issue cards, enrol terminals; for each terminal its batches, chained and signed."""
    clock = SystemClock()
    found(folder, clock, "demo")
    with City(folder, town.CONFIGURATION, clock) as city:
        people = holders(city.vault, rush.cards)
        city.registry.add_cards([one.registered() for one in people])
        _open_purses(city, people)
        desks = [(1001 + n, _enrolled(city, 1001 + n)) for n in range(rush.terminals)]
        at = UnixMs(clock.now() + 1)
        return [_batches(desk, rush, people, at, number) for number, desk in enumerate(desks)]


def _open_purses(city: City, people: list[Holder]) -> None:
    """What is on the cards is in the books: no tap brings a purse below zero."""
    rows = np.zeros(len(people), ROW)
    accounts = np.array([purse(one.identity.card_number) for one in people], np.int64)
    rows["credit"], rows["amount"], rows["kind"] = (
        accounts,
        [100 * one.balance for one in people],
        int(Kind.OPENING),
    )
    opening = [
        account_id(Code.OPENING, split(account).partition, 1) for account in map(AccountId, accounts.tolist())
    ]
    rows["debit"] = opening
    assert city.ledger.writer.submit(city.ledger.columns(rows)).result().all_posted


def _enrolled(city: City, number: int) -> TerminalIdentity:
    identity = TerminalIdentity(city.folder.root / "desks" / str(number))
    rights = Rights.of_role(TerminalRole.VALIDATOR, Rupiah(LIMIT_MAX))
    pem = city.authority.enrol(identity.request(), number, TerminalRole.VALIDATOR, OPERATOR, rights=rights)
    city.registry.add_terminal(read_certificate(pem, city.root, city.clock.now()))
    return identity


def _batches(
    desk: tuple[int, TerminalIdentity], rush: Rush, people: list[Holder], at: UnixMs, seed: int
) -> list[bytes]:
    number, identity = desk
    dice, sequence, previous, bodies = random.Random(seed), 1, FIRST_DIGEST, []
    for _ in range(rush.batches):
        first, records = sequence, []
        for one in dice.sample(people, rush.taps):
            records.append(_tap(one, at, number, sequence, dice))
            sequence += 1
        payload = encode_batch(number, first, previous, at, encoded(records))
        kid = number.to_bytes(4, "big")
        bodies.append(envelope.seal(payload, kid=kid, sign=identity.sign, content_type=CONTENT_TYPE))
        previous = digest(bodies[-1])
    return bodies


def _tap(one: Holder, at: UnixMs, terminal: int, sequence: int, dice: random.Random) -> Any:
    """A fare: a pupil's with the city's subsidy, now and then a free transfer."""
    pupil = one.identity.concession > 0
    free = dice.random() < 0.1
    rules = ("concession:pupil",) if pupil else ()
    amount = 0 if free else 1_000 if pupil else 3_500
    place = Context("1", dice.choice(STOPS), "H 1234 AB", TARIFF, ("transfer",) if free else rules)
    return one.tap(TapKind.FARE, amount, at, terminal, sequence, place, moved_on=True)
