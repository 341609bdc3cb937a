"""The cardholder's room: everything that its pages stand on, put together once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ledger.cardholder.answers import Answer
from ledger.cardholder.blocking import Blocking
from ledger.cardholder.disputes import Disputes
from ledger.cardholder.holders import Holders
from ledger.cardholder.pages import Templates
from ledger.cardholder.pins import Pins
from ledger.cardholder.reading import Reading
from ledger.cardholder.receipts import Receipts
from ledger.cardholder.sealing import Sealing
from ledger.cardholder.tries import Failures
from ledger.cardholder.views import VIEW_MS, View, Views
from ledger.cardholder.ways import PhoneTaps, Screens, Tokens
from ledger.cardholder.words import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock, Day
    from keys.vault import KeyVault
    from ledger.book import Ledger
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.disputes import Promise
    from ledger.cardholder.reading import City
    from ledger.cardholder.savings import Savings
    from ledger.cardholder.ways import ScreenCodes
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry
    from ledger.wallets.loads.desk import OrderedLoads

COOKIE: Final = "ksh-view"
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Outside:
    """How the pages are reached: over TLS or not, and which proxies' word is taken for where a call comes from."""

    secure: bool = False
    proxies: frozenset[str] = frozenset()

    @property
    def cookie(self) -> str:
        """The view's cookie: over TLS with the prefix that binds it to this host (RFC 6265bis section 4.1.3.2)."""
        return f"__Host-{COOKIE}" if self.secure else COOKIE

    def set_cookie(self, value: str) -> dict[str, str]:
        """The header that keeps a view in the browser; "" takes it away."""
        age = VIEW_MS // 1000 if value else 0
        kept = f"{self.cookie}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax"
        return {"Set-Cookie": f"{kept}; Secure" if self.secure else kept}

    def caller(self, peer: str, forwarded: str) -> str:
        """Where a call comes from: the peer, or where the peer is a proxy of ours the last address that it did not make up itself."""
        hops = [peer, *(hop.strip() for hop in reversed(forwarded[-400:].split(",")) if hop.strip())]
        return next((hop for hop in hops if hop not in self.proxies), peer)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the composition root hands in: the city's knowledge, terminals' codes, until when reports are answered, what to do after a block, the ledger's public key.

    `savings` where the city has a line to a bank.
    """

    city: City
    codes: ScreenCodes
    promise: Promise
    after_block: Callable[[], object]
    key: bytes
    loads: OrderedLoads
    savings: Savings | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """The parts of the room. A context manager: closing it ends its thread."""

    ledger: Ledger
    registry: Registry
    clock: Clock
    outside: Outside
    templates: Templates
    failures: Failures
    views: Views
    tokens: Tokens
    pins: Pins
    phones: PhoneTaps
    screens: Screens
    reading: Reading
    disputes: Disputes
    holders: Holders
    blocking: Blocking
    receipts: Receipts
    loads: OrderedLoads
    savings: Savings | None

    @classmethod
    def of(
        cls, ledger: Ledger, registry: Registry, vault: KeyVault, clock: Clock, outside: Outside, town: Surroundings,
    ) -> Self:  # fmt: skip
        """The room over an open ledger; `vault` has its keys (`sealing.make_keys`)."""
        sealing = Sealing(vault)
        return cls(
            ledger, registry, clock, outside, Templates(), Failures(clock), Views(clock),
            Tokens(ledger, registry, clock), Pins(ledger, sealing, clock),
            PhoneTaps(ledger, registry, vault, clock), Screens(ledger, registry, town.codes, clock),
            Reading(ledger, town.city, clock), Disputes(ledger, sealing, town.promise, clock),
            Holders(ledger, registry, sealing), Blocking(ledger, clock, town.after_block), Receipts(ledger.database, town.key),
            town.loads, town.savings,
        )  # fmt: skip

    def erase_expired(self) -> int:
        """Forget the holders whose time is over (see `Holders`), by the validity that each chip last signed; how many."""

        def validity(card: Card) -> Day | None:
            signed = self.reading.shown(card).signed
            return None if signed is None else signed.identity.valid_until

        return self.holders.erase_expired(self.clock.now(), validity)

    def close(self) -> None:
        """End the hashing thread."""
        self.pins.close()

    def viewed(self, asked: Asked) -> tuple[View, Card] | None:
        """The view of a request and its card; None where there is none, or it is over."""
        view = self.views.read(asked.value)
        card = None if view is None else self.registry.card(view.uid)
        return None if view is None or card is None else (view, card)

    def unheard(self, asked: Asked) -> Answer | None:
        """The answer to an address that guessed too often; None where it is heard."""
        wait = self.failures.wait_ms(asked.address)
        if not wait:
            return None
        text = words(asked.language).n("too-many", -(-wait // MINUTE_MS))
        body = self.said(asked, "busy", 429, text=text).body
        return Answer(body, 429, more={"Retry-After": str(-(-wait // 1000))})

    def said(self, asked: Asked, message: str, status: int, *, back: str = "", text: str = "") -> Answer:
        """A page of a title and a sentence, by the message's key."""
        html = self.templates.html("message.html", asked.language, said=message, back=back, text=text)
        return Answer(html, status)
