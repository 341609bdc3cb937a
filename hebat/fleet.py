"""Terminals as they are enrolled and put to work: key on the device, certificate, vault of its roles, outbox."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hebat.founding import AUTHORITY_LABEL
from keys.bundle import LABEL as BUNDLE_LABEL
from keys.bundle import city_id
from keys.clock import local
from keys.errors import KeyMissing
from keys.identity import read_certificate
from keys.rights import Rights, TerminalRole
from ledger.enrolment.desk import Invitation, invite
from ledger.enrolment.store import all_terminals
from terminals.opening import client_of, device_of, keep_trust, opened, take_keys

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.wiring import City
    from keys.clock import Clock, UnixMs
    from keys.identity import TerminalCertificate
    from keys.money import Rupiah
    from keys.vault import Vault
    from ledger.enrolment.store import TerminalRow
    from ledger.store import Database
    from terminals.fares import Tariff
    from terminals.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Post:
    """A terminal to be enrolled: its number, what it is for, whose it is (operator, merchant or agent number).

    Without a limit (rupiah a service day), its role's own; without routes (numbers), anywhere. A validator with `loads` writes what holders order.
    """

    number: int
    role: TerminalRole
    owner: int
    daily_limit: Rupiah | None = None
    routes: tuple[int, ...] = ()
    loads: bool = False

    @property
    def invitation(self) -> Invitation:
        """What the back office invites it to."""
        rights = Rights.of_role(self.role, self.daily_limit, self.routes, loads=self.loads)
        return Invitation(self.number, self.role, self.owner, rights)


def enrol(city: City, post: Post, address: str, tariff: Tariff) -> Terminal:
    """Invite a terminal, enrol it over HTTP as it would on its own, and put it to work against a ledger's address."""
    folder = city.folder.terminal(post.number)
    device = device_of(folder)
    ticket = invite(city.ledger.database, city.root, post.invitation, city.clock.now())
    with client_of(address) as client:
        device.enrol(client, ticket)
        take_keys(device, client, city.clock)
    made = reopen(folder, city.clock, address, tariff, city.vault)
    made.refresh()
    return made


def reopen(folder: Path, clock: Clock, address: str, tariff: Tariff, city: Vault) -> Terminal:
    """An enrolled terminal as it was left; `city` tells whose bundles it believes.

    Raises IdentityError, VaultError, OutboxBusy.
    """
    with suppress(KeyMissing):  # a city that was founded before it signed any bundle
        keep_trust(folder, city_id(city.public_key(AUTHORITY_LABEL)), city.public_key(BUNDLE_LABEL))
    return opened(folder, clock, address, tariff).terminal


@dataclass(frozen=True, slots=True)
class Standing:
    """How a terminal stands: valid, ended or revoked; what it may do; limit in rupiah; dates of the city's calendar."""

    terminal: int
    state: str
    role: str
    owner: int
    kinds: tuple[str, ...]
    daily_limit: int
    routes: tuple[int, ...]
    until: str


def standings(database: Database, root: bytes, now: UnixMs) -> list[Standing]:
    """All terminals by number; raises IdentityError where a certificate is not this city's."""
    with database.transaction() as connection:
        rows = all_terminals(connection)
    return [_standing(read_certificate(row.certificate, root), row, now) for row in rows]


def _standing(certificate: TerminalCertificate, row: TerminalRow, now: UnixMs) -> Standing:
    state = "revoked" if row.revoked_at else "valid" if now < certificate.not_after else "ended"
    rights = certificate.rights
    return Standing(
        certificate.terminal, state, certificate.role.value, certificate.owner,
        tuple(sorted(kind.value for kind in rights.kinds)), rights.daily_limit, rights.routes,
        f"{local(certificate.not_after):%Y-%m-%d}",
    )  # fmt: skip
