"""A city with its pages behind a real server, cards with PINs in pockets, and a holder's browser without a script."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import httpx2

from card import ndef
from card.layout import Concession, TapKind
from card.personalise import personalise
from card.virtual import VirtualCard
from hebat.application import application
from hebat.folder import Folder
from hebat.issuing import Issued
from hebat.serving import LoopbackServer
from keys.clock import UnixMs, day_of
from keys.identity import TerminalRole
from ledger.intake.cards.issued import Card
from ledger.intake.key_versions import newest
from ledger.intake.registry import new_token, token_digest
from tests.ledger.desk import DAY, Scene, open_scene

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.wiring import City

ADDRESS = "https://kartu.example/t"
PIN = "271828"
WRONG = "000000"


@dataclass
class Holder:
    """Somebody with a browser that keeps cookies and follows nothing by itself."""

    http: httpx2.Client

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, data=form or {}, headers=named)

    def opens(self, card: Issued, pin: str = PIN) -> httpx2.Response:
        """Give the PIN, and go where that leads."""
        answer = self.post(f"/c/{card.token}", {"pin": pin})
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])


@dataclass
class Town:
    """An open city behind its server."""

    scene: Scene
    server: LoopbackServer
    buses: int = 0
    _open: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(cls, folder: Path, *, fresh: bool = True) -> Self:
        scene = open_scene(Folder(folder), fresh=fresh)
        return cls(scene, LoopbackServer(application(scene.city)))

    @property
    def city(self) -> City:
        return self.scene.city

    def __enter__(self) -> Self:
        self._open.enter_context(self.city)
        self._open.enter_context(self.server)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def holder(self, **headers: str) -> Holder:
        http = httpx2.Client(base_url=self.server.address, timeout=60, headers=headers)
        return Holder(self._open.enter_context(http))

    def known(self, card: Issued) -> Card:
        found = self.city.registry.card(card.uid)
        assert found is not None
        return found

    def card(self, loaded: int = 50_000, pin: str = PIN, *, registered: bool = False) -> Issued:
        """A card with value and a PIN."""
        made = self.scene.card(loaded=loaded, registered=registered)
        self.city.cardholders.pins.set(self.known(made), pin)
        return made

    def phone_card(self) -> Issued:
        """A card that gives phones an address."""
        self.scene.serial += 1
        plain = self.scene.issuer.issue(
            9, self.scene.serial, Concession.GENERAL, day_of(DAY), registered=False
        )
        chip = VirtualCard(plain.chip.uid)
        personalise(chip, self.city.vault, plain.identity, ADDRESS)
        card = Issued(chip, plain.identity, new_token())
        versions = newest(self.city.vault, phone=True)
        known = Card(card.uid, plain.identity.card_number, False, 1, token_digest(card.token), versions)
        self.city.registry.add_cards([known])
        return card

    def rides(self, card: Issued, fares: list[int], *, rules: tuple[str, ...] = ("full",)) -> None:
        """Fares at a validator, minutes apart, sent at once."""
        self.buses += 1
        desk = self.scene.desk(1000 + self.buses)
        for fare in fares:
            self.pass_(5 * 60_000)
            desk.tap(card, TapKind.FARE, fare, rules=rules)
        desk.send()

    def pass_(self, milliseconds: int) -> None:
        """Let time pass."""
        self.scene.clock.move_to(UnixMs(self.scene.clock.now() + milliseconds))

    def buys(self, card: Issued, amount: int) -> None:
        """A sale at a merchant's terminal."""
        desk = self.scene.desk(2000 + self.scene.serial, TerminalRole.MERCHANT, 502)
        desk.tap(card, TapKind.SALE, amount, rules=("sale",))  # as a till notes it
        desk.send()


def tapped(card: Issued) -> str:
    """The path and query that a phone is led to by one more tap of a card."""
    card.chip.leave_field()
    return "/t?" + ndef.read_address(card.chip).partition("?")[2]


def form_key(page: str) -> str:
    """The key that a page's forms carry."""
    found = re.search(r'name="key" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]
