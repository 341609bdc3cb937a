"""Terminals with rights of their own, for the tests of what certificates bound."""

from __future__ import annotations

from dataclasses import dataclass

from keys.identity import TerminalIdentity, read_certificate
from keys.money import Rupiah
from keys.rights import Rights, TerminalRole
from tests.ledger.desk import OPERATOR, Desk, Scene


@dataclass
class Limited:
    """Terminals with rights of their own."""

    scene: Scene

    def desk(self, number: int, role: TerminalRole, owner: int, rights: Rights) -> Desk:
        identity = TerminalIdentity(self.scene.folder / f"desk-{number}")
        city = self.scene.city
        pem = city.authority.enrol(identity.request(), number, role, owner, rights=rights)
        city.registry.add_terminal(read_certificate(pem, city.root))
        return Desk(city, number, identity)

    def bus(self, limit: int = 1_000_000, routes: tuple[int, ...] = ()) -> Desk:
        rights = Rights.of_role(TerminalRole.VALIDATOR, Rupiah(limit), routes)
        return self.desk(1001, TerminalRole.VALIDATOR, OPERATOR, rights)
