"""The door for terminals: an invitation's code buys a certificate once, and a certificate's key renews it.

Whoever asks learns whether it worked, never how close a wrong code was; the log says why.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from keys import cbor, envelope
from keys.clock import UnixMs, local
from keys.errors import CborMalformed, EnvelopeError, IdentityError, SignatureWrong
from keys.identity import read_certificate, requested_key
from keys.rights import Rights, TerminalRole
from keys.ticket import ENROLMENT_CONTENT_TYPE, RENEWAL_CONTENT_TYPE, Ticket, code_digest
from ledger.enrolment import store
from ledger.errors import EnrolmentRefused
from ledger.intake.named import terminal_of

if TYPE_CHECKING:
    from keys.clock import Clock
    from keys.identity import TerminalAuthority, TerminalCertificate
    from ledger.intake.registry import Registry
    from ledger.store import Database

ATTEMPTS_MAX: Final = 5
INVITATION_HOURS: Final = 48
REQUEST_BYTES_MAX: Final = 4096
TERMINAL_MAX: Final = (1 << 31) - 1
_FIELDS: Final = 2
_WRONG: Final = "wrong code"
_USED: Final = "used"
T = TypeVar("T")
_log = structlog.get_logger("ledger.enrolment")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a terminal is invited to: its number, role, owner (operator, merchant or agent number) and rights."""

    terminal: int
    role: TerminalRole
    owner: int
    rights: Rights


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a terminal gets: its certificate, the authority's (both PEM), and the raw key that signs receipts."""

    certificate: bytes
    authority: bytes
    ledger_key: bytes

    def as_json(self) -> dict[str, str]:
        """What travels."""
        return {
            "certificate": self.certificate.decode(),
            "authority": self.authority.decode(),
            "ledger_key": self.ledger_key.hex(),
        }


def invite(
    database: Database, root: bytes, wanted: Invitation, now: UnixMs, hours: int = INVITATION_HOURS
) -> Ticket:
    """A code for one use; an older one of the same terminal is void. The code is told here and nowhere else.

    Raises EnrolmentRefused for rights beyond the role, a number out of range, or one that was revoked.
    """
    if not wanted.rights.within(wanted.role) or not 0 < wanted.terminal <= TERMINAL_MAX or wanted.owner <= 0:
        raise EnrolmentRefused(
            f"a {wanted.role} cannot have this number, owner, limit or routes: choose others"
        )
    ticket = Ticket.drawn(wanted.terminal, root)
    row = store.InvitationRow(
        wanted.terminal, code_digest(ticket.terminal, ticket.code), wanted.role.value, wanted.owner,
        wanted.rights.encode(), now, UnixMs(now + hours * 3_600_000), 0, UnixMs(0),
    )  # fmt: skip
    with database.writing() as connection:
        known = store.terminal_row(connection, wanted.terminal)
        if known is not None and known.revoked_at:
            raise EnrolmentRefused(f"terminal {wanted.terminal} was revoked: take another number")
        store.put_invitation(connection, row)
    _log.info("terminal invited", terminal=wanted.terminal, role=wanted.role.value, owner=wanted.owner)
    return ticket


class EnrolmentDesk:
    """Gives certificates to those who were invited, and new ones to those who have one."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        authority: TerminalAuthority,
        root: bytes,
        ledger_key: bytes,
        clock: Clock,
    ) -> None:
        self._database = database
        self._registry = registry
        self._authority = authority
        self._root = root
        self._ledger_key = ledger_key
        self._clock = clock

    def enrol(self, body: bytes) -> Enrolled:
        """A certificate for a code and a request, sealed with the new key; the code is used up by it.

        The same key with the same code again gets the same certificate: the answer was lost. Raises EnrolmentRefused.
        """
        message, code, request = _opened(body, ENROLMENT_CONTENT_TYPE, str)
        number = terminal_of(message)
        public = self._key_of(message, request)
        invited = self._invitation(number, code, public)
        if invited is None:
            return self._given(self._registry.certificates(number)[0])
        pem = self._certified(request, invited)
        with self._database.writing() as connection:
            if not store.use_invitation(connection, number, self._clock.now()):
                raise _closed(number, "used meanwhile")
        return self._known(pem)

    def _key_of(self, message: envelope.Envelope, request: bytes) -> bytes:
        try:
            public = requested_key(request, given=None)
            message.verify(public)
        except IdentityError as error:
            raise EnrolmentRefused(str(error)) from None
        except SignatureWrong:
            raise EnrolmentRefused("the enrolment is not signed by the key that it asks for") from None
        return public

    def _invitation(self, terminal: int, code: str, public: bytes) -> Invitation | None:
        """What a code gives; None where this very key has had it already."""
        with self._database.writing() as connection:
            row = store.invitation_of(connection, terminal)
            why = _why_not(row, terminal, code, self._clock.now())
            if row is not None and why == _WRONG:
                store.count_attempt(connection, terminal)
        if row is not None and why == _USED and public in self._keys(row.terminal):
            return None
        if row is None or why:
            raise _closed(terminal, why)
        return Invitation(terminal, TerminalRole(row.role), row.owner, Rights.decode(row.rights))

    def _keys(self, terminal: int) -> list[bytes]:
        return [one.public_key for one in self._registry.certificates(terminal)[:1]]

    def _certified(self, request: bytes, who: Invitation) -> bytes:
        try:
            return self._authority.enrol(request, who.terminal, who.role, who.owner, rights=who.rights)
        except IdentityError as error:
            raise EnrolmentRefused(str(error)) from None

    def renew(self, body: bytes) -> Enrolled:
        """A new certificate for a request that the key of the newest one has signed; the same request again gets the same one.

        Raises EnrolmentRefused, and TerminalUnknown for a terminal that is unknown, revoked, or whose certificate has ended.
        """
        message, _asked_at, request = _opened(body, RENEWAL_CONTENT_TYPE, int)
        number = terminal_of(message)
        certificates = self._registry.certificates(number)
        signer = _signer(message, certificates)
        try:
            public = requested_key(request, signer.rights)
        except IdentityError as error:
            raise EnrolmentRefused(str(error)) from None
        if public == certificates[0].public_key and signer is not certificates[0]:
            return self._given(certificates[0])  # the answer was lost on its way
        newest = self._registry.terminal(number, self._clock.now())
        if signer is not newest:
            raise EnrolmentRefused(f"terminal {number} has renewed already: sign with its new key")
        return self._renewed(newest, request)

    def _renewed(self, newest: TerminalCertificate, request: bytes) -> Enrolled:
        if self._clock.now() < newest.renew_from:
            due = local(newest.renew_from)
            raise EnrolmentRefused(
                f"terminal {newest.terminal} need not renew before {due:%Y-%m-%d %H:%M}: ask then"
            )
        who = Invitation(newest.terminal, newest.role, newest.owner, newest.rights)
        return self._known(self._certified(request, who))

    def _known(self, pem: bytes) -> Enrolled:
        certificate = read_certificate(pem, self._root)
        self._registry.add_terminal(certificate)
        _log.info("certificate issued", terminal=certificate.terminal, until=certificate.not_after)
        return self._given(certificate)

    def _given(self, certificate: TerminalCertificate) -> Enrolled:
        return Enrolled(certificate.pem, self._root, self._ledger_key)


def _why_not(row: store.InvitationRow | None, terminal: int, code: str, now: UnixMs) -> str:
    """Why a code opens nothing; "" where it does."""
    if row is None:
        return "not invited"
    if row.attempts >= ATTEMPTS_MAX:
        return "too many wrong codes"
    if not hmac.compare_digest(row.digest, code_digest(terminal, code)):
        return _WRONG
    if row.used_at:
        return _USED
    return "expired" if now >= row.expires_at else ""


def _closed(terminal: int, why: str) -> EnrolmentRefused:
    _log.warning("enrolment refused", terminal=terminal, reason=why)
    return EnrolmentRefused(
        f"this code opens no enrolment of terminal {terminal} (mistyped, used, too old, or tried too often): ask for a new one"
    )


def _opened(body: bytes, content_type: str, kind: type[T]) -> tuple[envelope.Envelope, T, bytes]:
    """An envelope of two fields: one of a kind, and a certificate request. Nothing is proven yet."""
    try:
        message = envelope.parse(body[:REQUEST_BYTES_MAX])
        fields: Any = cbor.decoded(message.payload)
    except (EnvelopeError, CborMalformed):
        raise EnrolmentRefused("this is no signed request: send it with `hebat terminals enrol`") from None
    whole = isinstance(fields, list) and len(fields) == _FIELDS
    if message.content_type != content_type or not whole:
        raise EnrolmentRefused(f"a request of two fields in {content_type} is expected")
    first, request = fields
    if not isinstance(first, kind) or not isinstance(request, bytes):
        raise EnrolmentRefused("the request's fields are of the wrong types")
    return message, first, request


def _signer(message: envelope.Envelope, certificates: list[TerminalCertificate]) -> TerminalCertificate:
    for certificate in certificates[:2]:
        try:
            message.verify(certificate.public_key)
        except SignatureWrong:
            continue
        return certificate
    raise EnrolmentRefused(
        f"the renewal is not signed by the key of terminal {certificates[0].terminal}'s certificate"
    )
