"""What a terminal may do, as its certificate says it: a private extension of the city's own, in CBOR.

The extension's name is under 2.25, where a UUID of one's own is a number that needs no registrar (ITU-T X.667 section 7). Its value is a DER octet
string (RFC 5280 section 4.1: what an extension holds is DER) around deterministic CBOR (RFC 8949 section 4.2):
[version, rights by name, rupiah a service day, route numbers].
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import cbor2
from cryptography import x509

from keys import cbor
from keys.errors import CborMalformed, IdentityError
from keys.money import Rupiah

RIGHTS_OID: Final = x509.ObjectIdentifier(f"2.25.{UUID('73f62cd0-6174-485c-a73c-ea365c1b7be7').int}")
"""Made once at random (RFC 9562 version 4), for this extension and nothing else."""
VERSION: Final = 1
LIMIT_MAX: Final = 1_000_000_000_000
ROUTES_MAX: Final = 12
_OCTET_STRING: Final = 0x04
_LONG_FORM: Final = 0x80


class TerminalRole(StrEnum):
    """What a terminal is for."""

    VALIDATOR = "validator"
    CONDUCTOR = "conductor"
    MERCHANT = "merchant"
    KIOSK = "kiosk"


class Right(StrEnum):
    """A kind of card transaction that a terminal may post."""

    FARE = "fare"
    SALE = "sale"
    LOAD = "load"
    REFUND = "refund"


ROLE_RIGHTS: Final = {
    TerminalRole.VALIDATOR: frozenset({Right.FARE, Right.LOAD}),
    TerminalRole.CONDUCTOR: frozenset({Right.FARE}),
    TerminalRole.MERCHANT: frozenset({Right.SALE, Right.REFUND}),
    TerminalRole.KIOSK: frozenset({Right.LOAD}),
}
"""The most that each role may do: its owner's accounts know no other kind (fares go to operators, sales to merchants). A validator takes no cash: what
it loads is what a holder ordered from the wallet, and only where its certificate says so."""
ROLE_LIMITS: Final = {
    TerminalRole.VALIDATOR: Rupiah(100_000_000),
    TerminalRole.CONDUCTOR: Rupiah(20_000_000),
    TerminalRole.MERCHANT: Rupiah(100_000_000),
    TerminalRole.KIOSK: Rupiah(500_000_000),
}
"""What a terminal may move in a service day where nobody said otherwise: far above a good day, far below a fortune."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a terminal may post, how much of it in a service day (rupiah), and on which routes (numbers; none: anywhere)."""

    kinds: frozenset[Right]
    daily_limit: Rupiah
    routes: tuple[int, ...] = ()

    @classmethod
    def of_role(
        cls,
        role: TerminalRole,
        daily_limit: Rupiah | None = None,
        routes: tuple[int, ...] = (),
        *,
        loads: bool = False,
    ) -> Rights:
        """All that a role does; a validator writes ordered loads only with `loads`. Without a limit, the role's own."""
        limit = ROLE_LIMITS[role] if daily_limit is None else daily_limit
        fares = frozenset({Right.FARE})
        kinds = fares if role is TerminalRole.VALIDATOR and not loads else ROLE_RIGHTS[role]
        return cls(kinds, limit, routes)

    def within(self, role: TerminalRole) -> bool:
        """True where a role may have these, and limits and routes are such."""
        routes = all(0 < route < 1 << 31 for route in self.routes) and len(self.routes) <= ROUTES_MAX
        return self.kinds <= ROLE_RIGHTS[role] and 0 < self.daily_limit <= LIMIT_MAX and routes

    def encode(self) -> bytes:
        """As deterministic CBOR."""
        kinds = sorted(kind.value for kind in self.kinds)
        return cbor2.dumps([VERSION, kinds, int(self.daily_limit), sorted(set(self.routes))], canonical=True)

    @classmethod
    def decode(cls, data: bytes) -> Rights:
        """From CBOR; raises IdentityError."""
        try:
            version, kinds, limit, routes = cbor.decoded(data)
            if version != VERSION or not all(isinstance(number, int) for number in (limit, *routes)):
                raise IdentityError("the certificate's rights are of a version that is unknown here")
            return cls(frozenset(map(Right, kinds)), Rupiah(limit), tuple(routes))
        except (CborMalformed, ValueError, TypeError):
            raise IdentityError("the certificate's rights cannot be read: enrol the terminal again") from None

    def extension(self) -> x509.UnrecognizedExtension:
        """As the certificate holds them."""
        value = self.encode()
        return x509.UnrecognizedExtension(RIGHTS_OID, bytes((_OCTET_STRING, len(value))) + value)


def rights_in(extensions: x509.Extensions) -> Rights | None:
    """The rights that a certificate, or a request, holds; None where it holds none. Raises IdentityError."""
    try:
        found: Any = extensions.get_extension_for_oid(RIGHTS_OID).value
    except x509.ExtensionNotFound:
        return None
    value: bytes = found.value
    if value[:1] != bytes((_OCTET_STRING,)) or len(value) != value[1] + 2 or value[1] >= _LONG_FORM:
        raise IdentityError("the certificate's rights are no DER octet string: enrol the terminal again")
    return Rights.decode(value[2:])
