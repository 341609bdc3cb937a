"""What the city does while everything runs: it blocks cards, rolls keys and changes fares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hebat.bundles.office import Office
from hebat.simulate.faults import Fault
from hebat.simulate.riding import Change
from hebat.vaults import city_vault
from keys.clock import Day, service_day
from keys.money import Rupiah
from keys.vault import KeyName, Purpose, Role
from terminals.fares.flat import flat_tariff

if TYPE_CHECKING:
    from random import Random

    from hebat.simulate.world import World


def block_card(world: World, card: int) -> str:
    """A holder reports a card as lost, and the next hotlist names it."""
    city, uid = world.server.city, world.cards[card].uid
    known = city.registry.card(uid)
    if known is None or uid in world.watch.blocked:
        return "blocked already"
    city.blocks.block(known, "lost", world.story.now())
    Office.of(city).hotlist()
    city.following.look()
    world.watch.blocked[uid] = world.story.now()
    world.covered[Fault.CARD_BLOCKED] += 1
    return "blocked"


def roll_key(world: World, dice: Random) -> None:
    """Custodians make the next version of a card key beside the running ledger, and terminals are told to fetch it."""
    city, role = world.server.city, dice.choice((Role.DEBIT, Role.LOAD, Role.READ))
    vault = city_vault(city.folder)
    try:
        vault.generate_key(KeyName(role.value, vault.next_version(role.value)), Purpose.CARD)
    finally:
        vault.close()
    Office.of(city).keys(world.story.now())


def change_tariff(world: World, dice: Random) -> None:
    """A ride costs more from the next service day on."""
    now = world.story.now()
    day, dearer = Day(service_day(now) + 1), 100 * dice.randint(1, 9)
    full, conceded = Rupiah(4_000 + dearer), Rupiah(1_200)
    Office.of(world.server.city).tariff(flat_tariff(f"dearer-{dearer}", day, full, conceded))
    world.watch.riding.changed.append(Change(now, day, full, conceded))
