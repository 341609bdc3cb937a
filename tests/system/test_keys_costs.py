"""What a lost file and a guessed passphrase cost: every sealed file that the system makes, where it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hebat.application import application
from hebat.demo import town
from hebat.fleet import Post, enrol
from hebat.folder import PASSPHRASE_BYTES, Folder
from hebat.founding import found
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys import backup
from keys.clock import SystemClock
from keys.device import SECRET_BYTES
from keys.filevault import FileVault
from keys.rights import TerminalRole
from keys.sealedfile import COST, HUMAN_COST
from keys.steps import Steps
from keys.vault import KeyName
from terminals.opening import DEVICE_COST
from tests.keys.sealed import sealed_in
from tests.system.typist import PASSPHRASE

if TYPE_CHECKING:
    from pathlib import Path

MACHINE_BITS = 128
"""Bits of a secret that a machine drew: no number of guesses reaches it, whatever one costs."""
HUMAN_FLOOR = 2**17
"""OWASP's least for scrypt with r = 8 and p = 1, where a person chose the passphrase: 128 MiB a guess."""
MACHINE_FLOOR = 2**15
DEVICE_FLOOR = 2**12
SALT_BYTES = 16


def test_every_sealed_file_of_a_city_meets_the_floor_of_whoever_chose_its_passphrase(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    with City(folder, town.CONFIGURATION, SystemClock()) as city, LoopbackServer(application(city)) as server:
        post = Post(2001, TerminalRole.MERCHANT, 502)
        with enrol(city, post, server.address, city.configuration.tariffs[0]):
            pass
    Steps.begin(folder.root / "ceremony.state", PASSPHRASE, KeyName("debit", 9))
    vault = FileVault.open(folder.vault, folder.passphrase())
    data, shares = backup.make(vault)
    backup.restore(data, shares[:3], folder.root / "restored.vault", PASSPHRASE)
    costs = {one.name: one.cost for one in sealed_in(folder.root)}
    assert costs == {
        "city.vault": COST, "device.vault": DEVICE_COST, "ceremony.state": HUMAN_COST, "restored.vault": HUMAN_COST,
    }  # fmt: skip
    assert {one.salt for one in sealed_in(folder.root)} == {SALT_BYTES}
    assert costs["city.vault"] >= MACHINE_FLOOR
    assert costs["device.vault"] >= DEVICE_FLOOR
    assert min(costs["ceremony.state"], costs["restored.vault"]) >= HUMAN_FLOOR
    assert min(8 * PASSPHRASE_BYTES, 8 * SECRET_BYTES) >= MACHINE_BITS


def test_the_same_passphrase_opens_two_files_by_two_different_keys(tmp_path: Path) -> None:
    """One table of guesses is no use for a second file: each has a salt of its own."""
    for name in ("a", "b"):
        FileVault.create(tmp_path / name, PASSPHRASE, 16, "one name")
    first, second = ((tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first[:60] != second[:60]
