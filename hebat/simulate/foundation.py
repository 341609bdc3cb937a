"""The city that every run begins with: founded once in a process, its terminals enrolled and its cards made, then copied.

Founding draws from a seed of its own, so that all processes found the same city, byte for byte as far as its keys go.
"""

from __future__ import annotations

import atexit
import shutil
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from card.layout import Concession
from hebat.bundles.office import first_bundles
from hebat.demo import town
from hebat.folder import Folder
from hebat.founding import AUTHORITY_LABEL, found_over
from hebat.issuing import Issuer
from hebat.simulate.disk.shim import Shim
from hebat.simulate.disk.volume import Volume
from hebat.simulate.entropy import Entropy, seeded
from hebat.simulate.haste import SCRYPT_COST, hurried
from hebat.simulate.machine import client
from hebat.simulate.network import Line, Network
from hebat.simulate.server import Server
from hebat.story_clock import StoryClock
from keys.bundle import LABEL as BUNDLE_LABEL
from keys.bundle import city_id
from keys.clock import day_of, local, moment
from keys.filevault import FileVault
from ledger.enrolment.desk import invite
from terminals.opening import device_of, keep_trust, take_keys
from terminals.places import semarang_tariff

if TYPE_CHECKING:
    from hebat.fleet import Post
    from hebat.issuing import Issued

FOUNDED_AT: Final = moment(datetime(2026, 3, 2, 3, 30))  # noqa: DTZ001  a Monday, the city's own wall clock
CARDS: Final = 8
_HOLDERS: Final = (
    (9, Concession.GENERAL), (113, Concession.PUPIL), (8, Concession.GENERAL), (9, Concession.ELDERLY),
    (113, Concession.GENERAL), (8, Concession.GENERAL), (9, Concession.GENERAL), (113, Concession.GENERAL),
)  # fmt: skip


def posts() -> list[Post]:
    """Two buses of two operators, a merchant's till, the load kiosk, and a till whose merchant is a rogue."""
    buses, tills = town.buses(), town.tills()
    return [buses[0], buses[-1], tills[1], town.kiosk(), tills[0]]


@dataclass(frozen=True, slots=True)
class Foundation:
    """A founded city on the disk, with the chips of its cards as they were saved."""

    root: Path
    chips: tuple[bytes, ...]
    cards: tuple[Issued, ...]


@cache
def foundation() -> Foundation:
    """The city; made at the first call."""
    home = Path(mkdtemp(prefix="hebat-simulated-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    entropy, shim = Entropy("foundation"), Shim.of_process()
    with hurried(), seeded(entropy), shim.installed(entropy.draw):
        return _founded(home / "city", entropy, shim)


def _founded(root: Path, entropy: Entropy, shim: Shim) -> Foundation:
    folder, clock = Folder(root, f"sqlite:///{root / 'ledger.db'}"), StoryClock(FOUNDED_AT)
    folder.make()
    vault = FileVault.create(folder.vault, folder.passphrase(new=True), SCRYPT_COST)
    found_over(folder, vault, clock, "demo")
    server = Server(folder, town.CONFIGURATION, clock, shim, Volume(root))
    server.start()
    first_bundles(server.city, semarang_tariff())
    for post in posts():
        _enrol(server, post, clock)
    issuer, today = Issuer(server.city, 1, entropy.draw), day_of(local(clock.now()).date())
    cards = tuple(
        issuer.issue(bank, serial, concession, today, registered=serial % 2 == 0)
        for serial, (bank, concession) in enumerate(_HOLDERS, 1)
    )
    issuer.register(list(cards))
    server.stop()
    server.close()
    return Foundation(root, tuple(card.chip.save() for card in cards), cards)


def _enrol(server: Server, post: Post, clock: StoryClock) -> None:
    """A terminal enrols over HTTP as it would on its own."""
    city = server.city
    nothing = lambda *_: None  # noqa: E731  nobody watches a founding
    network = Network(server.serve, clock.now, nothing, nothing, nothing)
    line = client(Line(network, post.number))
    folder = city.folder.terminal(post.number)
    device = device_of(folder)
    device.enrol(line, invite(city.ledger.database, city.root, post.invitation, clock.now()))
    take_keys(device, line, clock)
    keep_trust(folder, city_id(city.vault.public_key(AUTHORITY_LABEL)), city.vault.public_key(BUNDLE_LABEL))
