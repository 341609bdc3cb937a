"""Become a terminal, and stay one: enrol with the back office's code, renew before the certificate ends.

The key is made here and stays here; a certificate request (PKCS#10) and a signature travel. A renewal goes over to a new key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cbor2
import httpx2
import structlog

from keys import envelope
from keys.device import device_secret, secret_beside
from keys.errors import IdentityError
from keys.identity import TerminalCertificate, TerminalIdentity, read_certificate
from keys.sealedfile import write_atomically
from keys.ticket import ENROLMENT_CONTENT_TYPE, RENEWAL_CONTENT_TYPE, fingerprint
from terminals.errors import CertificateEnded, EnrolmentDenied, Offline

if TYPE_CHECKING:
    from pathlib import Path

    from keys.clock import Clock, UnixMs
    from keys.ticket import Ticket

AUTHORITY_FILE: Final = "authority.pem"
LEDGER_KEY_FILE: Final = "ledger.key"
_OK: Final = 200
_KEY_BYTES: Final = 32
_log = structlog.get_logger("terminals.enrolment")


class Device:
    """A terminal's folder: its identity, whose city it belongs to, and the key of that city's ledger."""

    def __init__(self, folder: Path, secret: bytes | None = None) -> None:
        """Open the folder; makes the key where there is none yet. Raises IdentityError (see `keys.device`)."""
        self.folder = folder
        self.secret = device_secret(secret_beside(folder)) if secret is None else secret
        self.identity = TerminalIdentity(folder, self.secret)

    def certificate(self) -> TerminalCertificate:
        """The certificate, whatever its dates; raises IdentityError where the terminal is not enrolled."""
        pem = self.identity.certificate()
        return read_certificate(pem, self._kept(AUTHORITY_FILE))

    def ledger_key(self) -> bytes:
        """The raw Ed25519 key that signs the ledger's receipts; raises IdentityError where it is gone."""
        return self._kept(LEDGER_KEY_FILE)

    def _kept(self, name: str) -> bytes:
        """What enrolment left here; raises IdentityError."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise IdentityError(f"{self.folder / name} is gone: enrol this terminal again") from None

    def enrol(self, client: httpx2.Client, ticket: Ticket) -> TerminalCertificate:
        """Take up an invitation. Raises Offline, EnrolmentDenied; nothing is kept then but the key."""
        payload = cbor2.dumps([ticket.code, self.identity.request()], canonical=True)
        body = self._sealed(payload, ticket.terminal, ENROLMENT_CONTENT_TYPE)
        answer = _asked(client, "/v1/terminals/enrolment", body)
        certificate, root, key = _told(answer)
        if fingerprint(root) != ticket.fingerprint:
            raise EnrolmentDenied(
                "whoever answered is not the terminal authority of your code: check the ledger's address"
            )
        found = _checked(certificate, root, ticket.terminal)
        write_atomically(self.folder / LEDGER_KEY_FILE, key)
        write_atomically(self.folder / AUTHORITY_FILE, root)
        self.identity.install(certificate)
        return found

    def renew(self, client: httpx2.Client, now: UnixMs) -> TerminalCertificate:
        """A new certificate for a new key. Raises Offline, EnrolmentDenied, CertificateEnded; the old one stays then."""
        known = self.certificate()
        if now >= known.not_after:
            raise CertificateEnded(
                f"the certificate of terminal {known.terminal} has ended: enrol with a new code; its records stay"
            )
        payload = cbor2.dumps([now, self.identity.next_request()], canonical=True)
        body = self._sealed(payload, known.terminal, RENEWAL_CONTENT_TYPE)
        certificate, _, _ = _told(_asked(client, "/v1/terminals/renewal", body))
        found = _checked(certificate, self._kept(AUTHORITY_FILE), known.terminal)
        self.identity.install(certificate)
        return found

    def _sealed(self, payload: bytes, terminal: int, content_type: str) -> bytes:
        kid = terminal.to_bytes(4, "big")
        return envelope.seal(payload, kid=kid, sign=self.identity.sign, content_type=content_type)


class Renewal:
    """Looks at the certificate's end now and then, and renews it in good time."""

    def __init__(self, device: Device, client: httpx2.Client, clock: Clock) -> None:
        self._device = device
        self._client = client
        self._clock = clock
        self._known = device.certificate()

    def if_due(self) -> bool:
        """True where the certificate was renewed; a ledger that refuses, answers wrongly or is not there is asked again the next time.

        So it is where this disk does not take the certificate: records go up meanwhile.

        Raises CertificateEnded once it is too late for that.
        """
        now = self._clock.now()
        if now < self._known.renew_from:
            return False
        try:
            self._known = self._device.renew(self._client, now)
        except (Offline, EnrolmentDenied, IdentityError, OSError) as error:
            _log.warning("certificate not renewed", reason=str(error))
            return False
        return True


def _asked(client: httpx2.Client, path: str, body: bytes) -> Any:
    try:
        response = client.post(path, content=body, headers={"Content-Type": "application/cose"})
        answer = response.json()
    except httpx2.TransportError as error:
        raise Offline(f"the ledger does not answer ({type(error).__name__}): try again") from None
    except ValueError:
        raise EnrolmentDenied("the answer is no JSON: is this a ledger's address?") from None
    if response.status_code != _OK or not isinstance(answer, dict):
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        raise EnrolmentDenied(f"the ledger refused ({response.status_code}): {detail}")
    return answer


def _told(answer: Any) -> tuple[bytes, bytes, bytes]:
    try:
        certificate, root = answer["certificate"].encode(), answer["authority"].encode()
        key = bytes.fromhex(answer["ledger_key"])
    except (KeyError, TypeError, AttributeError, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise EnrolmentDenied("the answer holds no certificate: is this a ledger's address?")
    return certificate, root, key


def _checked(certificate: bytes, root: bytes, terminal: int) -> TerminalCertificate:
    try:
        found = read_certificate(certificate, root)
    except IdentityError as error:
        raise EnrolmentDenied(f"the ledger's answer is no certificate of its authority: {error}") from None
    if found.terminal != terminal:
        raise EnrolmentDenied(
            f"the certificate is for terminal {found.terminal}, not {terminal}: enrol again"
        )
    return found
