"""A terminal's identity: what a certificate proves, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from keys.clock import UnixMs
from keys.errors import IdentityError
from keys.filevault import FileVault
from keys.identity import TerminalAuthority, TerminalIdentity, TerminalRole, read_certificate
from keys.money import Rupiah
from keys.rights import Rights

if TYPE_CHECKING:
    from pathlib import Path

NOW = UnixMs(1_795_000_000_000)
DAY_MS = 86_400_000


class Stopped:
    def now(self) -> UnixMs:
        return NOW


def authority(folder: Path, name: str) -> TerminalAuthority:
    vault = FileVault.create(folder / f"{name}.vault", "x", 16)
    vault.generate_signing_key("authority")
    return TerminalAuthority(vault, "authority", Stopped())


def test_a_certificate_says_who_a_terminal_is_and_what_it_may_do(tmp_path: Path) -> None:
    city = authority(tmp_path, "city")
    device = TerminalIdentity(tmp_path / "device")
    pem = city.enrol(device.request(), 1001, TerminalRole.VALIDATOR, 12)
    found = read_certificate(pem, city.root_certificate(), NOW)
    assert (found.terminal, found.role, found.owner) == (1001, TerminalRole.VALIDATOR, 12)
    device.install(pem)
    assert TerminalIdentity(tmp_path / "device").certificate() == pem


def test_another_citys_certificate_proves_nothing(tmp_path: Path) -> None:
    device = TerminalIdentity(tmp_path / "device")
    pem = authority(tmp_path, "other").enrol(device.request(), 1001, TerminalRole.KIOSK, 12)
    with pytest.raises(IdentityError, match="not of this city"):
        read_certificate(pem, authority(tmp_path, "city").root_certificate(), NOW)


@pytest.mark.parametrize("at", [NOW - DAY_MS, NOW + 91 * DAY_MS])
def test_a_certificate_out_of_its_dates_proves_nothing(tmp_path: Path, at: int) -> None:
    city = authority(tmp_path, "city")
    pem = city.enrol(TerminalIdentity(tmp_path / "device").request(), 1001, TerminalRole.KIOSK, 12)
    with pytest.raises(IdentityError, match="out of date"):
        read_certificate(pem, city.root_certificate(), UnixMs(at))


def test_a_certificate_ends_at_the_very_moment_that_it_names(tmp_path: Path) -> None:
    city = authority(tmp_path, "city")
    pem, root = (
        city.enrol(TerminalIdentity(tmp_path / "d").request(), 1, TerminalRole.KIOSK, 1),
        city.root_certificate(),
    )
    until = read_certificate(pem, root).not_after
    assert read_certificate(pem, root, UnixMs(until - 1)).not_after == until
    with pytest.raises(IdentityError, match="out of date"):
        read_certificate(pem, root, until)


def test_a_request_gets_the_rights_that_it_asks_for_where_they_are_given_and_nothing_otherwise(
    tmp_path: Path,
) -> None:
    city, key = authority(tmp_path, "city"), Ed25519PrivateKey.generate()
    given = Rights.of_role(TerminalRole.MERCHANT, Rupiah(1_000_000))
    more = Rights.of_role(TerminalRole.MERCHANT)

    def asking(rights: Rights) -> bytes:
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return (
            builder.add_extension(rights.extension(), critical=True)
            .sign(key, None)
            .public_bytes(Encoding.PEM)
        )

    pem = city.enrol(asking(given), 1, TerminalRole.MERCHANT, 502, rights=given)
    assert read_certificate(pem, city.root_certificate()).rights == given
    with pytest.raises(IdentityError, match="asks for rights that the terminal is not invited to"):
        city.enrol(asking(more), 1, TerminalRole.MERCHANT, 502, rights=given)


def test_a_request_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="no PEM"):
        authority(tmp_path, "city").enrol(b"hello", 1, TerminalRole.KIOSK, 1)


def test_the_key_stays_on_the_device_readable_by_its_owner_alone(tmp_path: Path) -> None:
    device = TerminalIdentity(tmp_path / "device")
    path = tmp_path / "device" / "identity.key"
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_bytes().hex() not in repr(device)
