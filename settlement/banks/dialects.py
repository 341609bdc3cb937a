"""How each bank speaks SNAP: paths, channel, limits. Data with its source; the rest is the standard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement.errors import DialectUnknown
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_PATHS: Final[Mapping[Service, str]] = {
    Service.TOKEN: "/access-token/b2b",
    Service.BINDING: "/registration-account-binding",
    Service.BINDING_INQUIRY: "/registration-account-inquiry",
    Service.UNBINDING: "/registration-account-unbinding",
    Service.BALANCE: "/balance-inquiry",
    Service.STATEMENT: "/bank-statement",
    Service.ACCOUNT: "/account-inquiry-external",
    Service.INTRABANK: "/transfer-intrabank",
    Service.INTERBANK: "/transfer-interbank",
    Service.VA_NOTIFY: "/transfer-va/payment",
    Service.VIRTUAL_ACCOUNT: "/transfer-va/create-va",
    Service.STATUS: "/transfer/status",
    Service.DIRECT_DEBIT: "/debit/payment-host-to-host",
    Service.DEBIT_STATUS: "/debit/status",
}
"""Behind the version (technical standard, sections of the services)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One bank's way: what stands before its paths, paths that differ, its channel, and where this was read."""

    name: str
    base: str
    source: str
    channel: str = "95221"
    paths: Mapping[Service, str] | None = None

    def path(self, service: Service) -> str:
        """The whole path of a service; raises DialectUnknown where the bank does not offer it."""
        own = (self.paths or {}).get(service, STANDARD_PATHS.get(service, ""))
        if not own:
            raise DialectUnknown(f"{self.name} has no service {service.name.lower()}: ask another bank")
        return self.base + own


_READ_IN: Final = "the bank's developer portal; check it against the contract before going live"

DIALECTS: Final = {
    one.name: one
    for one in (
        Dialect("standard", "/v1.0", "Bank Indonesia, SNAP technical standard"),
        Dialect("bni", "/snap-service/v1", _READ_IN),
        Dialect("bca", "/openapi/v1.0", _READ_IN),
        Dialect("bri", "/snap/v1.1", _READ_IN),
    )
}


def dialect_of(name: str) -> Dialect:
    """A dialect by its name; raises DialectUnknown."""
    found = DIALECTS.get(name)
    if found is None:
        raise DialectUnknown(f"no bank speaks {name!r}: it is one of {', '.join(sorted(DIALECTS))}")
    return found
