"""What the benchmarks of cards share: a city's vault, and a card with value on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import purse
from card.layout import NEVER, Concession, Identity, TapKind, card_number
from card.personalise import personalise
from card.purse import Change
from card.virtual import VirtualCard
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from pathlib import Path

AT = UnixMs(1_795_000_000_000)
IDENTITY = Identity(
    card_number(9, 1),
    9,
    1,
    registered=True,
    concession=Concession.GENERAL,
    concession_until=NEVER,
    valid_until=NEVER,
)


def city_vault(folder: Path) -> FileVault:
    """A vault with every role, cheap to open."""
    made = FileVault.create(folder / "vault", "x", 16)
    for number, role in enumerate(Role):
        made.add_master(role, 1, bytes([number]) * 16)
    return made


def loaded(vault: FileVault) -> VirtualCard:
    """A card with the most that a purse may hold, so that a benchmark's fares never empty it."""
    chip = VirtualCard(bytes([4, 1, 2, 3, 4, 5, 6]))
    personalise(chip, vault, IDENTITY)
    open_ = purse.open_card(chip, vault, Role.LOAD)
    open_.stage(Change(TapKind.LOAD, Rupiah(20_000_000), None, 1, 1, AT))
    open_.commit()
    return chip
