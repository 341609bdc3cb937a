"""Who a terminal is: an Ed25519 key made on the device, in a short-lived X.509 certificate of the city's terminal authority.

Source: RFC 5280 (profile), RFC 8410 (Ed25519). OU is its role, serialNumber its owner; what it may do stands in an extension (`keys.rights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keys.clock import UnixMs
from keys.device import TerminalIdentity
from keys.errors import IdentityError
from keys.rights import Rights, TerminalRole, rights_in

if TYPE_CHECKING:
    from keys.clock import Clock
    from keys.vault import Vault

__all__ = ["TerminalAuthority", "TerminalCertificate", "TerminalIdentity", "TerminalRole", "read_certificate"]

VALID_DAYS: Final = 30
"""A short life: a key that leaked without anybody's notice is worth a month at most."""
RENEW_DAYS: Final = 10
"""How long before its end a certificate is renewed."""
ROOT_VALID_DAYS: Final = 3650
_CITY: Final = "Kartu Semarang Hebat"
_PREFIX: Final = "terminal "
_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)  # fmt: skip
"""What the library raises for X.509 that it does not read; only some of it are ValueErrors."""


@dataclass(frozen=True, slots=True)
class TerminalCertificate:
    """What a certificate proves: number, role, owner (operator, merchant or agent number), rights, raw public key, validity."""

    terminal: int
    role: TerminalRole
    owner: int
    public_key: bytes
    serial: int
    not_before: UnixMs
    not_after: UnixMs
    pem: bytes
    rights: Rights

    @property
    def renew_from(self) -> UnixMs:
        """From when on it may be renewed."""
        return UnixMs(self.not_after - RENEW_DAYS * 86_400_000)


class TerminalAuthority:
    """The city's authority over terminals; its key stays in a vault."""

    def __init__(self, vault: Vault, label: str, clock: Clock) -> None:
        self._vault = vault
        self._label = label
        self._clock = clock
        self._root = self._self_signed()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now() // 1000, UTC)

    def _name(self) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, _CITY),
                x509.NameAttribute(NameOID.COMMON_NAME, "terminal authority"),
            ]
        )

    def _self_signed(self) -> bytes:
        public = Ed25519PublicKey.from_public_bytes(self._vault.public_key(self._label))
        builder = self._builder(self._name(), public, ROOT_VALID_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return self._vault.issue_certificate(self._label, builder).public_bytes(Encoding.PEM)

    def _builder(self, subject: x509.Name, public: Ed25519PublicKey, days: int) -> x509.CertificateBuilder:
        now = self._now()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name())
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=days))
        )

    def root_certificate(self) -> bytes:
        """The authority's own certificate, PEM."""
        return self._root

    def enrol(
        self,
        request: bytes,
        terminal: int,
        role: TerminalRole,
        owner: int,
        days: int = VALID_DAYS,
        rights: Rights | None = None,
    ) -> bytes:
        """A certificate (PEM) for a request (PEM); without rights, all that the role may do.

        Raises IdentityError where the request does not prove its key or asks for what it does not get, and for rights beyond the role.
        """
        given = Rights.of_role(role) if rights is None else rights
        if not given.within(role):
            raise IdentityError(f"a {role} may not have these rights, limit or routes: choose others")
        public = requested_key(request, given)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, _CITY),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, str(owner)),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{_PREFIX}{terminal}"),
            ]
        )
        builder = self._builder(subject, Ed25519PublicKey.from_public_bytes(public), days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(given.extension(), critical=True)
        return self._vault.issue_certificate(self._label, builder).public_bytes(Encoding.PEM)


def requested_key(request: bytes, given: Rights | None = None) -> bytes:
    """The raw key that a request (PKCS#10, PEM) proves; raises IdentityError, also where it asks for rights that are not `given`."""
    try:
        csr = x509.load_pem_x509_csr(request)
        asked = rights_in(csr.extensions)
        public = csr.public_key()
    except _UNREADABLE:
        raise IdentityError("the enrolment request is no PEM certificate request") from None
    if not csr.is_signature_valid or not isinstance(public, Ed25519PublicKey):
        raise IdentityError(
            "the enrolment request does not prove an Ed25519 key: make it on the terminal again"
        )
    if asked is not None and asked != given:
        raise IdentityError("the request asks for rights that the terminal is not invited to: ask for none")
    return public.public_bytes_raw()


def read_certificate(pem: bytes, root: bytes, at: UnixMs | None = None) -> TerminalCertificate:
    """What a terminal's certificate proves at a moment, or whatever its dates; `root` is the authority's own certificate, PEM.

    Raises IdentityError where it is another authority's, out of date, or says no role.
    """
    try:
        found, authority = x509.load_pem_x509_certificate(pem), x509.load_pem_x509_certificate(root)
        found.verify_directly_issued_by(authority)
        subject = {attribute.oid: str(attribute.value) for attribute in found.subject}
        public = found.public_key()
        if not isinstance(public, Ed25519PublicKey):
            raise IdentityError("the certificate's key is no Ed25519 key")
        role = TerminalRole(subject[NameOID.ORGANIZATIONAL_UNIT_NAME])
        certificate = TerminalCertificate(
            terminal=int(subject[NameOID.COMMON_NAME].removeprefix(_PREFIX)),
            role=role,
            owner=int(subject[NameOID.SERIAL_NUMBER]),
            public_key=public.public_bytes_raw(),
            serial=found.serial_number,
            not_before=_ms(found.not_valid_before_utc),
            not_after=_ms(found.not_valid_after_utc),
            pem=pem,
            rights=rights_in(found.extensions) or Rights.of_role(role),
        )
    except InvalidSignature:
        raise IdentityError("the certificate is not of this city's terminal authority") from None
    except (*_UNREADABLE, TypeError, KeyError):
        raise IdentityError(
            "the certificate says no terminal, role and owner: enrol the terminal again"
        ) from None
    if at is not None and not certificate.not_before <= at < certificate.not_after:
        raise IdentityError("the certificate is out of date, or the clock is wrong: renew it")
    return certificate


def authority_key(root: bytes) -> bytes:
    """The raw Ed25519 key of an authority's own certificate (PEM); raises IdentityError."""
    try:
        public = x509.load_pem_x509_certificate(root).public_key()
    except _UNREADABLE:
        raise IdentityError("the authority's certificate is none: ask the city for it again") from None
    if not isinstance(public, Ed25519PublicKey):
        raise IdentityError("the authority's key is no Ed25519 key")
    return public.public_bytes_raw()


def _ms(at: datetime) -> UnixMs:
    return UnixMs(int(at.timestamp()) * 1000)
