"""Issue cards: personalise a chip, register it with the ledger, give it the address of its balance page."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.layout import AID, NEVER, VALID_DAYS, Concession, File, Identity, card_number
from card.personalise import made_with, personalise
from card.virtual import VirtualCard
from keys.clock import Day
from keys.money import Rupiah
from ledger.intake.cards.issued import Card
from ledger.intake.registry import new_token, token_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hebat.wiring import City

NXP: Final = 0x04
"""First byte of a UID: the manufacturer (ISO/IEC 7816-6)."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A virtual card in somebody's pocket, with the token of its balance page."""

    chip: VirtualCard
    identity: Identity
    token: str = field(repr=False)

    @property
    def uid(self) -> int:
        """The UID as the ledger counts it."""
        return int.from_bytes(self.chip.uid, "big")

    @property
    def chip_balance(self) -> Rupiah:
        """What the chip's value file holds: looked at, as only whoever made the chip can."""
        return Rupiah(self.chip.applications[AID].files[File.PURSE].value)


class Issuer:
    """Issues virtual cards; UIDs are drawn from a seed, keys are not. `rng` gives the chips' own random bytes."""

    def __init__(self, city: City, seed: int, rng: Callable[[int], bytes] = os.urandom) -> None:
        self._city = city
        self._rng = rng
        self._random = random.Random(f"uid-{seed}")  # noqa: S311  a serial number of silicon, no secret
        self._used: set[bytes] = set()
        self._versions: dict[int, tuple[int, bytes]] = {}

    def issue(
        self, issuer: int, serial: int, concession: Concession, today: Day, *, registered: bool
    ) -> Issued:
        """Personalise a fresh chip; `register` makes the ledger know it."""
        until = NEVER if concession is Concession.ELDERLY else Day(today + 365)
        identity = Identity(
            card_number(issuer, serial), issuer, 1, registered, concession,
            NEVER if concession is Concession.GENERAL else until, Day(today + VALID_DAYS),
        )  # fmt: skip
        chip = VirtualCard(self._uid(), self._rng)
        personalise(chip, self._city.vault, identity)
        issued = Issued(chip, identity, new_token())
        self._versions[issued.uid] = made_with(chip)  # somebody may have rolled a key meanwhile
        chip.leave_field()
        return issued

    def _uid(self) -> bytes:
        while (uid := bytes((NXP,)) + self._random.randbytes(6)) in self._used:
            pass
        self._used.add(uid)
        return uid

    def register(self, cards: list[Issued]) -> None:
        """Make the ledger know issued cards; durable when this returns."""
        self._city.registry.add_cards(list(self._registered(cards)))

    def _registered(self, cards: list[Issued]) -> Iterator[Card]:
        for card in cards:
            number, registered = card.identity.card_number, card.identity.registered
            signing, versions = self._versions[card.uid]
            yield Card(card.uid, number, registered, signing, token_digest(card.token), versions)
