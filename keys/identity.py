"""Who a terminal is: an Ed25519 key made on the device, in a short-lived X.509 certificate of the city's terminal authority.

Source: RFC 5280 (profile), RFC 8410 (Ed25519). What a terminal may do stands in its subject: OU is its role, serialNumber its owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keys.clock import UnixMs
from keys.errors import IdentityError
from keys.sealedfile import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from keys.clock import Clock
    from keys.vault import Vault

VALID_DAYS: Final = 90
ROOT_VALID_DAYS: Final = 3650
_CITY: Final = "Kartu Semarang Hebat"
_PREFIX: Final = "terminal "


class TerminalRole(StrEnum):
    """What a terminal is for."""

    VALIDATOR = "validator"
    CONDUCTOR = "conductor"
    MERCHANT = "merchant"
    KIOSK = "kiosk"


@dataclass(frozen=True, slots=True)
class TerminalCertificate:
    """What a certificate proves: number, role, owner (operator, merchant or agent number), raw public key, validity."""

    terminal: int
    role: TerminalRole
    owner: int
    public_key: bytes
    serial: int
    not_before: UnixMs
    not_after: UnixMs
    pem: bytes


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
        self, request: bytes, terminal: int, role: TerminalRole, owner: int, days: int = VALID_DAYS
    ) -> bytes:
        """A certificate (PEM) for a request (PEM); raises IdentityError where the request does not prove its key."""
        try:
            csr = x509.load_pem_x509_csr(request)
        except ValueError:
            raise IdentityError("the enrolment request is no PEM certificate request") from None
        public = csr.public_key()
        if not csr.is_signature_valid or not isinstance(public, Ed25519PublicKey):
            raise IdentityError(
                "the enrolment request does not prove an Ed25519 key: make it on the terminal again"
            )
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, _CITY),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, str(owner)),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{_PREFIX}{terminal}"),
            ]
        )
        builder = self._builder(subject, public, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        return self._vault.issue_certificate(self._label, builder).public_bytes(Encoding.PEM)


def read_certificate(pem: bytes, root: bytes, at: UnixMs) -> TerminalCertificate:
    """What a terminal's certificate proves at a moment; `root` is the authority's own certificate, PEM.

    Raises IdentityError where it is another authority's, out of date, or says no role.
    """
    try:
        found, authority = x509.load_pem_x509_certificate(pem), x509.load_pem_x509_certificate(root)
        found.verify_directly_issued_by(authority)
        subject = {attribute.oid: str(attribute.value) for attribute in found.subject}
        public = found.public_key()
        if not isinstance(public, Ed25519PublicKey):
            raise IdentityError("the certificate's key is no Ed25519 key")
        certificate = TerminalCertificate(
            terminal=int(subject[NameOID.COMMON_NAME].removeprefix(_PREFIX)),
            role=TerminalRole(subject[NameOID.ORGANIZATIONAL_UNIT_NAME]),
            owner=int(subject[NameOID.SERIAL_NUMBER]),
            public_key=public.public_bytes_raw(),
            serial=found.serial_number,
            not_before=_ms(found.not_valid_before_utc),
            not_after=_ms(found.not_valid_after_utc),
            pem=pem,
        )
    except InvalidSignature:
        raise IdentityError("the certificate is not of this city's terminal authority") from None
    except (ValueError, TypeError, KeyError):
        raise IdentityError(
            "the certificate says no terminal, role and owner: enrol the terminal again"
        ) from None
    if not certificate.not_before <= at < certificate.not_after:
        raise IdentityError("the certificate is out of date, or the clock is wrong: renew it")
    return certificate


def _ms(at: datetime) -> UnixMs:
    return UnixMs(int(at.timestamp()) * 1000)


class TerminalIdentity:
    """A terminal's own key, made on the device and kept in a file that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        """Open the identity in a folder; makes the key where there is none yet."""
        self._folder = folder
        path = folder / "identity.key"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(path, Ed25519PrivateKey.generate().private_bytes_raw())
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        self._key = Ed25519PrivateKey.from_private_bytes(path.read_bytes())

    def __repr__(self) -> str:
        return f"<TerminalIdentity {self._folder.name}>"

    def request(self) -> bytes:
        """A certificate request, PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "terminal")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        return builder.sign(self._key, None).public_bytes(Encoding.PEM)

    def install(self, certificate: bytes) -> None:
        """Keep the certificate, PEM."""
        write_atomically(self._folder / "certificate.pem", certificate)

    def certificate(self) -> bytes:
        """The certificate, PEM; raises IdentityError where the terminal is not enrolled."""
        path = self._folder / "certificate.pem"
        if not path.exists():
            raise IdentityError("this terminal is not enrolled: ask the authority for a certificate")
        return path.read_bytes()

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._key.sign(message)
