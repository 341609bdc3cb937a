"""A city to rehearse in: founded in a new folder, its cards issued, its terminals enrolled, their batches chained and signed beforehand.

Signing beforehand leaves the processors to the server while it is driven. A batch is a file `load/TERMINAL/NUMBER-TAPS.cose` below the city's folder.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from card.batch import CONTENT_TYPE, FIRST_DIGEST, Context, digest, encode_batch, encode_record
from card.layout import PURSE_LIMIT_REGISTERED, Concession, TapKind
from hebat.demo import town
from hebat.errors import InputRefused
from hebat.founding import found
from hebat.load.riders import BALANCE, riders
from hebat.wiring import City
from keys import envelope
from keys.clock import SystemClock, UnixMs
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from keys.money import Rupiah
from keys.rights import LIMIT_MAX, Rights
from ledger.chart import AccountId, Code, account_id, purse, split
from ledger.transfer import ROW, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from card.batch import TapRecord
    from hebat.folder import Folder
    from hebat.load.riders import Rider

FIRST_TERMINAL: Final = 1001
BATCHES_MAX: Final = 200_000
TAPS_MAX: Final = 500
_TILL_EVERY: Final = 4
_FULL_FARE: Final = 3_500
_PUPILS_FARE: Final = 1_000
_FREE: Final = 0.1
_SALE_MAX: Final = 60
_TAP_MEAN: Final = 6_500
_TAP_SPREAD: Final = 8_500
"""What a tap takes, in rupiah, a shop's among them: no less than its mean, and its standard deviation."""
_STOPS: Final = ("Simpang Lima", "Terminal Mangkang", "Imam Bonjol", "Elizabeth")
_TARIFF: Final = town.CONFIGURATION.tariffs[0].version


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is made: cards, terminals, batches of each, taps of a batch (`even`: exactly so many; else one up to twice as many)."""

    cards: int = 5_000
    terminals: int = 256
    batches: int = 32
    taps: int = 20
    even: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A signed batch, and how many taps are in it."""

    octets: bytes
    taps: int


def prepare(folder: Folder, plan: Plan, done: Callable[[int], object] = lambda _: None) -> None:
    """Make the city and keep its batches; `done` is told how many batches there are.

    Raises InputRefused where the folder holds a city already, or the cards cannot hold what so many taps take.
    """
    for count, (terminal, body) in enumerate(made(folder, plan)):
        place = _place(folder.root) / str(terminal)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{count:07}-{body.taps}.cose").write_bytes(body.octets)
        done(count + 1)


def read(root: Path) -> list[list[Body]]:
    """Each terminal's batches, in their order; raises InputRefused where the folder was not prepared."""
    places = sorted(_place(root).glob("*"))
    if not places:
        raise InputRefused(
            f"{root} holds no batches to send: make a city to rehearse in with `hebat load prepare --data DIR`"
        )
    return [[_body(path) for path in sorted(place.glob("*.cose"))] for place in places]


def made(folder: Folder, plan: Plan) -> Iterator[tuple[int, Body]]:
    """Found the city, issue its cards, enrol its terminals; then batch after batch with its terminal's number, each terminal in turn."""
    clock, each = SystemClock(), _on_each_card(plan)
    found(folder, clock, "demo")
    with City(folder, town.CONFIGURATION, clock) as city:
        people = riders(city.vault, plan.cards, balance=each)
        city.registry.add_cards([one.registered() for one in people])
        _open_purses(city, people)
        desks = [_Desk.enrolled(city, FIRST_TERMINAL + number) for number in range(plan.terminals)]
        at = UnixMs(clock.now() + 1)
        for _ in range(plan.batches):
            for desk in desks:
                yield desk.number, desk.batch(plan, people, at)


def _on_each_card(plan: Plan) -> int:
    """What a card must hold so that none is empty before its last tap, whoever is drawn how often; raises InputRefused where that is more than a card may hold."""
    taps = plan.terminals * plan.batches * plan.taps / plan.cards
    most = taps * _TAP_MEAN + 8 * math.sqrt(taps * (_TAP_MEAN**2 + _TAP_SPREAD**2))
    if most > PURSE_LIMIT_REGISTERED:
        raise InputRefused(
            f"{taps:,.0f} taps for each of {plan.cards:,} cards are more than a card can pay: take more cards, or fewer batches"
        )
    return max(BALANCE, 1_000 * math.ceil(most / 1_000))


def _place(root: Path) -> Path:
    return root / "load"


def _body(path: Path) -> Body:
    return Body(path.read_bytes(), int(path.stem.partition("-")[2]))


def _open_purses(city: City, people: list[Rider]) -> None:
    """What is on the cards is in the books: no tap brings a purse below zero."""
    rows = np.zeros(len(people), ROW)
    accounts = np.array([purse(one.identity.card_number) for one in people], np.int64)
    rows["credit"], rows["kind"] = accounts, int(Kind.OPENING)
    rows["amount"] = [100 * one.balance for one in people]
    rows["debit"] = [
        account_id(Code.OPENING, split(account).partition, 1) for account in map(AccountId, accounts.tolist())
    ]
    city.ledger.writer.submit(city.ledger.columns(rows)).result()


@dataclass(slots=True)
class _Desk:
    """A terminal with its key: a bus's validator, or every fourth one a shop's till; and where its chain of batches ends."""

    number: int
    identity: TerminalIdentity
    sells: bool
    dice: random.Random
    sequence: int = 1
    previous: bytes = FIRST_DIGEST

    @classmethod
    def enrolled(cls, city: City, number: int) -> _Desk:
        sells = number % _TILL_EVERY == 0
        role = TerminalRole.MERCHANT if sells else TerminalRole.VALIDATOR
        parties = city.configuration.participants
        owners = list(parties.merchants if sells else parties.operators)
        identity = TerminalIdentity(city.folder.root / "desks" / str(number))
        pem = city.authority.enrol(
            identity.request(), number, role, owners[number // _TILL_EVERY % len(owners)],
            rights=Rights.of_role(role, Rupiah(LIMIT_MAX)),
        )  # fmt: skip
        city.registry.add_terminal(read_certificate(pem, city.root, city.clock.now()))
        return cls(number, identity, sells, random.Random(number))  # noqa: S311  dice of a rehearsal

    def batch(self, plan: Plan, people: list[Rider], at: UnixMs) -> Body:
        count = plan.taps if plan.even else self.dice.randint(1, 2 * plan.taps - 1)
        chosen = self.dice.sample(people, count)
        taps = [self._tap(one, at, self.sequence + place) for place, one in enumerate(chosen)]
        records = [encode_record(one) for one in taps]
        payload = encode_batch(self.number, self.sequence, self.previous, at, records)
        kid = self.number.to_bytes(4, "big")
        octets = envelope.seal(payload, kid=kid, sign=self.identity.sign, content_type=CONTENT_TYPE)
        self.sequence, self.previous = self.sequence + count, digest(octets)
        return Body(octets, count)

    def _tap(self, one: Rider, at: UnixMs, sequence: int) -> TapRecord:
        """A sale; or a fare: a pupil's with the city's subsidy, now and then a free transfer."""
        if self.sells:
            amount = 500 * self.dice.randint(1, _SALE_MAX)
            return one.tap(TapKind.SALE, amount, at, self.number, sequence, Context())
        pupil, free = one.identity.concession is Concession.PUPIL, self.dice.random() < _FREE
        rules: Any = ("transfer",) if free else ("concession:pupil",) if pupil else ()
        amount = 0 if free else _PUPILS_FARE if pupil else _FULL_FARE
        place = Context("1", self.dice.choice(_STOPS), "H 1234 AB", _TARIFF, rules)
        return one.tap(TapKind.FARE, amount, at, self.number, sequence, place, moved_on=True)
